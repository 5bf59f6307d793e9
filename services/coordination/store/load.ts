import type { FoldMemory } from "#domain/fold.ts";
import { sql, type Kysely } from "#platform/database.ts";
import { together } from "#platform/transaction.ts";
import { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";
import type { PublishedDecision } from "../domain/refold.ts";

export type Database = Kysely<unknown>;
type Condition = ReturnType<typeof sql>;

/** What PostgreSQL knows about some targets. */
export interface LoadedTargets {
  readonly opinions: Directive[];
  readonly published: Map<string, PublishedDecision>;
  readonly memories: Map<string, FoldMemory>;
  readonly approvals: Approval[];
}

interface OpinionRow {
  readonly directive: string;
  readonly body: Buffer;
  readonly revision: number | null;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly missing: string | null;
}

/**
 * Reads everything that the fold of these targets, and the acceptance of these
 * directives, may need. Opinions that are over and decided are left out: they
 * can never count again.
 *
 * Every look-up is a lateral one behind `offset 0`: always by index, also
 * while an import has just filled a table that PostgreSQL has no statistics of.
 *
 * @param directives ids that may be known under another target or revision
 * @param batches whose approvals matter
 */
export async function loadTargets(
  database: Database,
  targets: readonly string[],
  directives: readonly string[],
  batches: readonly string[],
): Promise<LoadedTargets> {
  const [ofTargets, ofIds, folded, approvals] = await together(
    database,
    (reader) =>
      Promise.all([
        opinionsOf(
          reader,
          targets,
          sql`target = wanted.key`,
          sql`
      d.directive is null or d.revision <> o.revision or d.decision not in ('revoked', 'expired')`,
        ),
        opinionsOf(reader, directives, sql`directive = wanted.key`, sql`true`),
        sql<{ target: string; memory: FoldMemory }>`
      select target, memory from folded where target = any(${targets}::text[])
    `.execute(reader),
        sql<{ body: Buffer }>`
      select a.body from unnest(${targets}::text[]) wanted (key)
      cross join lateral (select directive from opinion where target = wanted.key offset 0) o
      cross join lateral (select body from approval where directive = o.directive offset 0) a
      union all
      select body from approval where directive = any(${directives}::text[])
    `.execute(reader),
      ]),
    "once",
  );
  const rows = new Map([...ofTargets, ...ofIds].map((row) => [row.directive, row]));
  const opinions = [...rows.values()].map(({ body }) => Directive.decode(body));
  const published = new Map<string, PublishedDecision>();
  for (const { directive, revision, decision, reason, missing } of rows.values()) {
    if (revision === null || decision === null) continue;
    published.set(directive, { revision, decision, reason: reason ?? "", missing: words(missing ?? "") });
  }
  const allBatches = new Set([...batches, ...opinions.map(({ batch }) => batch)]);
  return {
    opinions,
    published,
    memories: new Map(folded.rows.map(({ target, memory }) => [target, memory])),
    approvals: [
      ...approvals.rows.map(({ body }) => Approval.decode(body)),
      ...(await approvalsOfBatches(
        database,
        [...allBatches].filter((batch) => batch !== ""),
      )),
    ],
  };
}

async function opinionsOf(database: Database, keys: readonly string[], by: Condition, which: Condition) {
  if (keys.length === 0) return [];
  const { rows } = await sql<OpinionRow>`
    select o.directive, o.body, d.revision, d.decision, d.reason, d.missing
    from unnest(${keys}::text[]) wanted (key)
    cross join lateral (select directive, revision, body from opinion where ${by} offset 0) o
    left join lateral (
      select directive, revision, decision, reason, missing from decision where directive = o.directive offset 0
    ) d on true
    where ${which}
  `.execute(database);
  return rows;
}

async function approvalsOfBatches(database: Database, batches: readonly string[]): Promise<Approval[]> {
  if (batches.length === 0) return [];
  const { rows } = await sql<{ body: Buffer }>`
    select body from approval where batch = any(${batches}::text[]) and batch <> ''
  `.execute(database);
  return rows.map(({ body }) => Approval.decode(body));
}

/** Targets of directives that an approval names. */
export async function targetsOfDirectives(
  database: Database,
  directives: readonly string[],
): Promise<string[]> {
  if (directives.length === 0) return [];
  const { rows } = await sql<{ target: string }>`
    select distinct target from opinion where directive = any(${directives}::text[])
  `.execute(database);
  return rows.map(({ target }) => target);
}

/** Words as they are kept in one column. */
export function words(text: string): string[] {
  return text === "" ? [] : text.split(",");
}
