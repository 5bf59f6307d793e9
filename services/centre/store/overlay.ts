import { sql } from "#platform/database.ts";
import type { Directive, Event } from "#proto/qalqan/events/v1/events.ts";
import { directivesPerMessageMax } from "../config.ts";
import { opinionOf } from "./directives.ts";
import type { CentreTransaction } from "./schema.ts";
import { regionStopOf, trunkSetOf } from "./trunks.ts";

type Body = NonNullable<Event["body"]>;

/**
 * What the overlay holds: the latest revisions of own directives that are not
 * decided for good, those of scope `region`, and withdrawn ones: of the nation's
 * as long as its table may still carry them, of the region's until they end,
 * since an earlier revision may still come by the lanes.
 */
const inOverlay = (nowMs: number) => sql<boolean>`
  d.latest and d.expires_at_ms > ${nowMs} and not d.refused and not coalesce(b.refused, false)
  and case
    when d.revoked or coalesce(b.revoked_at_ms, 0) > 0
      then d.decision in ('', 'held', 'accepted')
    when d.scope = 'region' then d.decision in ('', 'held', 'accepted')
    else d.decision in ('', 'held')
  end`;

interface OverlayDirectiveRow {
  id: string;
}

/** How many Directives messages the overlay has. */
export async function countOverlayDirectives(transaction: CentreTransaction, nowMs: number): Promise<number> {
  const { rows } = await sql<{ found: number }>`
    select count(*) as found from directives d left join batches b on b.id = d.batch
    where ${inOverlay(nowMs)}`.execute(transaction);
  return Math.ceil((rows[0]?.found ?? 0) / directivesPerMessageMax);
}

/** The overlay's directives, in messages of up to 1,000. */
export async function* readOverlayDirectives(
  transaction: CentreTransaction,
  nowMs: number,
): AsyncGenerator<Body> {
  let after = "";
  for (;;) {
    const { rows } = await sql<OverlayDirectiveRow>`
      select d.id from directives d left join batches b on b.id = d.batch
      where d.id > ${after} and ${inOverlay(nowMs)}
      order by d.id limit ${directivesPerMessageMax}`.execute(transaction);
    if (rows.length === 0) return;
    const ids = rows.map((row) => row.id);
    const found = await transaction
      .selectFrom("directives")
      .selectAll()
      .where("latest", "=", true)
      .where("id", "in", ids)
      .orderBy("id")
      .execute();
    const directives: Directive[] = found.map(opinionOf);
    yield { $case: "directives", value: { directives } };
    after = ids.at(-1) ?? after;
    if (rows.length < directivesPerMessageMax) return;
  }
}

/**
 * What else the overlay rests on, in one piece: approvals that made directives
 * complete (also those of other regions, by the capital's word), revoked
 * batches, trunks, stops.
 */
export async function readOverlayRest(transaction: CentreTransaction, nowMs: number): Promise<Body[]> {
  const { rows: approved } = await sql<{ id: string; revision: number }>`
    select d.id, d.revision from directives d left join batches b on b.id = d.batch
    where ${inOverlay(nowMs)} and cardinality(d.missing_at_acceptance) > 0
      and (d.effect_event is not null or d.decision = 'accepted')`.execute(transaction);
  const batches = await transaction
    .selectFrom("batches")
    .selectAll()
    .where("expires_at_ms", ">", nowMs)
    .where((where) => where.or([where("effect_event", "is not", null), where("revoked_at_ms", ">", 0)]))
    .execute();
  const trunks = await transaction.selectFrom("trunks").selectAll().execute();
  const stops = await transaction.selectFrom("stops").selectAll().execute();
  return [
    ...approved.map(({ id, revision }) => completeApproval(id, revision, "")),
    ...batches
      .filter((batch) => batch.effect_event !== null)
      .map((batch) => completeApproval("", 1, batch.id)),
    ...batches
      .filter((batch) => batch.revoked_at_ms > 0)
      .map((batch): Body => ({
        $case: "batchRevocation",
        value: {
          batch: batch.id,
          person: batch.revoked_by,
          role: "",
          reason: batch.revoked_reason,
          atMs: batch.revoked_at_ms,
        },
      })),
    ...trunks.map((row): Body => ({ $case: "trunkSet", value: trunkSetOf(row) })),
    ...stops.map((row): Body => ({ $case: "regionStop", value: regionStopOf(row) })),
  ];
}

/** That nothing is missing any more; by whom does not matter to an overlay. */
function completeApproval(directive: string, revision: number, batch: string): Body {
  const nobody = { person: "", role: "", region: "", kind: "", atMs: 0 };
  return {
    $case: "approval",
    value: { ...nobody, directive, revision, batch, approved: true, complete: true },
  };
}
