import { sql } from "#platform/database.ts";
import { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";
import type { DirectiveKnowledge, StoredDecision } from "../domain/directive-view.ts";
import { enforcedTimes } from "./enforcement.ts";
import { words, type Database } from "./load.ts";

interface ViewRow {
  readonly directive: string;
  readonly accepted_at_ms: number;
  readonly body: Buffer;
  readonly revision: number | null;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly missing: string | null;
  readonly sequence: number | null;
  readonly at_ms: number | null;
  readonly batch_revoked: boolean;
}

const viewColumns = sql`
  o.directive, o.accepted_at_ms, o.body, d.revision, d.decision, d.reason, d.missing, d.sequence, d.at_ms,
  coalesce((select b.revocation is not null from batch b where b.batch = o.batch), false) as batch_revoked
`;

/** What the capital knows of one directive; undefined: nothing. */
export async function readDirective(database: Database, id: string): Promise<DirectiveKnowledge | undefined> {
  const { rows } = await sql<ViewRow>`
    select ${viewColumns} from opinion o left join decision d using (directive) where o.directive = ${id}
  `.execute(database);
  const [known] = await complete(database, rows);
  return known;
}

/** Where a list goes on: after this directive, in the order of the list. */
export interface ListPosition {
  readonly acceptedAtMs: number;
  readonly directive: string;
}

/**
 * Directives that may be in a state, the latest first. Whether each is, says
 * its view: an end comes without anybody writing it.
 *
 * @param state a word of directiveStates, or empty: all
 * @param batch its id, or empty: all; `singlesOnly`: those that belong to none
 */
export async function readDirectives(
  database: Database,
  filter: { readonly state: string; readonly batch: string; readonly singlesOnly?: boolean },
  after: ListPosition | undefined,
  limit: number,
  nowMs: number,
): Promise<{ known: DirectiveKnowledge[]; position: ListPosition | undefined }> {
  const undecided = sql`(d.directive is null or d.revision <> o.revision)`;
  const maybe = {
    national: sql`d.decision = 'accepted'`,
    rejected: sql`d.decision = 'rejected'`,
    revoked: sql`(o.revoked or d.decision = 'revoked' or exists (
      select from batch b where b.batch = o.batch and b.revocation is not null))`,
    expired: sql`(o.expires_at_ms <= ${nowMs} or d.decision = 'expired')`,
    held: sql`(d.decision = 'held' or ${undecided})`,
    regional: sql`(o.scope = 'region' or ${undecided} or d.decision = 'held')`,
  }[filter.state];
  const { rows } = await sql<ViewRow>`
    select ${viewColumns} from opinion o left join decision d using (directive)
    where ${filter.batch === "" ? sql`true` : sql`o.batch = ${filter.batch} and o.batch <> ''`}
      and ${filter.singlesOnly === true ? sql`o.batch = ''` : sql`true`}
      and ${maybe ?? sql`true`}
      and ${after === undefined ? sql`true` : isAfter(after)}
    order by o.accepted_at_ms desc, o.directive limit ${limit}
  `.execute(database);
  const last = rows.at(-1);
  const position =
    last === undefined ? undefined : { acceptedAtMs: last.accepted_at_ms, directive: last.directive };
  return { known: await complete(database, rows), position: rows.length < limit ? undefined : position };
}

function isAfter({ acceptedAtMs, directive }: ListPosition) {
  return sql`o.accepted_at_ms <= ${acceptedAtMs}
    and (o.accepted_at_ms < ${acceptedAtMs} or o.directive > ${directive})`;
}

async function complete(database: Database, rows: readonly ViewRow[]): Promise<DirectiveKnowledge[]> {
  if (rows.length === 0) return [];
  const directives = rows.map(({ body }) => Directive.decode(body));
  const sequences = [...new Set(rows.flatMap(({ sequence }) => (sequence === null ? [] : [sequence])))];
  const batches = [...new Set(directives.map(({ batch }) => batch).filter((batch) => batch !== ""))];
  const [times, approvalRows] = await Promise.all([
    enforcedTimes(database, sequences),
    sql<{ body: Buffer }>`
      select body from approval
      where (directive = any(${directives.map(({ id }) => id)}::text[]) and directive <> '')
         or (batch = any(${batches}::text[]) and batch <> '')
    `.execute(database),
  ]);
  const approvals = approvalRows.rows.map(({ body }) => Approval.decode(body));
  return rows.map((row, index) => {
    const directive = directives[index] ?? Directive.decode(row.body);
    return {
      directive,
      decision: decisionOf(row),
      approvals: approvals.filter(({ directive: id, batch }) =>
        id === "" ? batch === directive.batch : id === directive.id,
      ),
      batchRevoked: row.batch_revoked,
      enforcedAtMs: times.get(row.sequence ?? 0) ?? new Map<string, number>(),
    };
  });
}

function decisionOf({
  revision,
  decision,
  reason,
  missing,
  sequence,
  at_ms,
}: ViewRow): StoredDecision | undefined {
  if (revision === null || decision === null || sequence === null || at_ms === null) return undefined;
  return { revision, decision, reason: reason ?? "", missing: words(missing ?? ""), sequence, atMs: at_ms };
}
