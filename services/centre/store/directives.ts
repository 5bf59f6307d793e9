import type { Opinion } from "#domain/opinion.ts";
import type { TargetUse } from "#domain/powers.ts";
import { dailyTargetsMax, dayMs } from "#domain/powers-table.ts";
import type { TrunkDirection } from "#domain/trunk.ts";
import { parseTrunkDirection } from "#domain/trunk.ts";
import { actions, slotOf, type Action } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import type { CentreTransaction, DirectiveRow, NationRegionRow, Reader } from "./schema.ts";

/** The revision as the event has it. */
export function opinionOf(row: DirectiveRow): Opinion {
  return {
    id: row.id,
    revision: row.revision,
    target: row.target,
    action: row.action,
    scope: row.scope,
    basis: row.basis,
    reason: row.reason,
    author: row.author,
    authorRole: row.author_role,
    acceptedAtMs: row.accepted_at_ms,
    expiresAtMs: row.expires_at_ms,
    termFromMs: row.term_from_ms,
    overrideRevision: row.override_revision,
    batch: row.batch,
    evidence: row.evidence,
    revoked: row.revoked,
    revokedBy: row.revoked_by,
    missing: row.missing_at_acceptance,
    falseStopOf: row.false_stop_of,
    beyondDailyTargets: row.beyond_daily_targets,
  };
}

/** A revision that has just been accepted; `event` carries it. */
export function newRow(opinion: Opinion, event: string): DirectiveRow {
  return {
    id: opinion.id,
    revision: opinion.revision,
    latest: true,
    target: opinion.target,
    action: opinion.action,
    scope: opinion.scope,
    basis: opinion.basis,
    reason: opinion.reason,
    author: opinion.author,
    author_role: opinion.authorRole,
    accepted_at_ms: opinion.acceptedAtMs,
    expires_at_ms: opinion.expiresAtMs,
    term_from_ms: opinion.termFromMs,
    override_revision: opinion.overrideRevision,
    batch: opinion.batch,
    evidence: opinion.evidence,
    revoked: opinion.revoked,
    revoked_by: opinion.revokedBy,
    missing_at_acceptance: opinion.missing,
    false_stop_of: opinion.falseStopOf,
    beyond_daily_targets: opinion.beyondDailyTargets,
    missing: opinion.missing,
    refused: false,
    event,
    effect_event: opinion.missing.length === 0 ? event : null,
    decision: "",
    decision_reason: "",
    decision_missing: [],
    decided_at_ms: 0,
    national_revision: 0,
  };
}

/** Writes a revision; it becomes the latest one of its directive. */
export async function insertDirective(transaction: CentreTransaction, row: DirectiveRow): Promise<void> {
  const former =
    row.revision > 1
      ? [transaction.updateTable("directives").set({ latest: false }).where("id", "=", row.id).execute()]
      : [];
  await Promise.all([...former, transaction.insertInto("directives").values(row).execute()]);
}

/** The latest revision of a directive; undefined: this region has no such directive. */
export async function latestRevision(database: Reader, id: string): Promise<DirectiveRow | undefined> {
  return database
    .selectFrom("directives")
    .selectAll()
    .where("id", "=", id)
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
}

/**
 * The latest revisions of these directives; those that this region does not have are left out. By index,
 * also while PostgreSQL has no statistics of a table that was just filled.
 */
export async function latestRevisions(database: Reader, ids: readonly string[]): Promise<DirectiveRow[]> {
  const { rows } = await sql<DirectiveRow>`
    select found.* from unnest(${ids}::text[]) wanted (id)
    cross join lateral (select * from directives where directives.id = wanted.id and latest offset 0) found
  `.execute(database);
  return rows;
}

/** What powers and limits look at, read after the locks of the author are held. */
export interface WritingFacts {
  /** As many as can make a difference: the target itself, and one more than are allowed. */
  readonly uses: TargetUse[];
  readonly firstOnTargetMs: number | undefined;
  readonly trunkDirection: (trunk: string) => TrunkDirection | undefined;
  readonly protectedTrunksOf: (number: string) => readonly string[] | undefined;
  /** The directive that the person's idempotency key stands for already. */
  readonly known: { readonly subject: string; readonly fingerprint: string } | undefined;
  /** Every region that coordination has spoken of. */
  readonly nation: readonly NationRegionRow[];
}

interface FactsRow {
  uses: TargetUse[] | null;
  first: number | null;
  trunks: Record<string, string> | null;
  protected: Record<string, string[]> | null;
  known: { subject: string; fingerprint: string } | null;
  nation: NationRegionRow[] | null;
}

/**
 * Everything that a decision about one target of one author needs, by one query.
 * It is planned before there are any rows (Planning): the order of what is recent
 * names the index, or all that an author ever imported would be gone through.
 *
 * @param numbers the numbers of the target that may be protected
 */
export async function readFacts(
  database: Reader,
  about: {
    readonly author: string;
    readonly target: string;
    readonly action: Action;
    readonly numbers: readonly string[];
    readonly idempotencyKey: string;
    readonly nowMs: number;
  },
): Promise<WritingFacts> {
  const slot = actions.filter((action) => slotOf(action) === slotOf(about.action));
  const { rows } = await sql<FactsRow>`
    select
      (select json_agg(json_build_object('target', target, 'acceptedAtMs', at)) from (
        select target, max(accepted_at_ms) as at from (
          select target, accepted_at_ms from directives
          where author = ${about.author} and batch = '' and not revoked
            and accepted_at_ms >= ${about.nowMs - dayMs}
          order by accepted_at_ms desc offset 0) as recent
        group by target order by target = ${about.target} desc limit ${dailyTargetsMax + 2}) as used) as uses,
      (select min(accepted_at_ms) from directives
        where author = ${about.author} and target = ${about.target}
          and action = any(${slot}) and not revoked) as first,
      (select json_object_agg(trunk, direction) from trunks) as trunks,
      (select json_object_agg(number, originates_from) from protected_numbers
        where number = any(${about.numbers})) as protected,
      (select json_build_object('subject', subject, 'fingerprint', fingerprint) from idempotency_keys
        where person = ${about.author} and key = ${about.idempotencyKey}) as known,
      (select json_agg(nation_regions) from nation_regions) as nation`.execute(database);
  const [row] = rows;
  if (row === undefined) throw new Error("a select without a from gave no row");
  return {
    uses: row.uses ?? [],
    firstOnTargetMs: row.first ?? undefined,
    trunkDirection: (trunk) => directionIn(row.trunks ?? {}, trunk),
    protectedTrunksOf: (number) => row.protected?.[number],
    known: row.known ?? undefined,
    nation: row.nation ?? [],
  };
}

function directionIn(trunks: Readonly<Record<string, string>>, trunk: string): TrunkDirection | undefined {
  const direction = trunks[trunk];
  return direction === undefined ? undefined : parseTrunkDirection("direction", direction);
}

/** The direction of each trunk of this region. */
export async function readTrunkDirections(
  database: Reader,
): Promise<(trunk: string) => TrunkDirection | undefined> {
  const rows = await database.selectFrom("trunks").select(["trunk", "direction"]).execute();
  const directions = Object.fromEntries(rows.map((row) => [row.trunk, row.direction]));
  return (trunk) => directionIn(directions, trunk);
}

/** What a person wrote outside of batches in the last 24 hours. */
export async function readUses(database: Reader, author: string, nowMs: number): Promise<TargetUse[]> {
  const rows = await database
    .selectFrom("directives")
    .select(["target", (build) => build.fn.max("accepted_at_ms").as("acceptedAtMs")])
    .where("author", "=", author)
    .where("batch", "=", "")
    .where("revoked", "=", false)
    .where("accepted_at_ms", ">=", nowMs - dayMs)
    .groupBy("target")
    .execute();
  return rows;
}
