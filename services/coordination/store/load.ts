import type { FoldMemory } from "#domain/fold.ts";
import { sql, type Kysely } from "#platform/database.ts";
import { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";
import type { PublishedDecision } from "../domain/refold.ts";

export type Database = Kysely<unknown>;

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
 * @param directives ids that may be known under another target or revision
 * @param batches whose approvals matter
 */
export async function loadTargets(
  database: Database,
  targets: readonly string[],
  directives: readonly string[],
  batches: readonly string[],
): Promise<LoadedTargets> {
  const [opinionRows, foldedRows, approvalRows] = await Promise.all([
    sql<OpinionRow>`
      select o.directive, o.body, d.revision, d.decision, d.reason, d.missing
      from (
        select directive from opinion where target = any(${targets}::text[])
        union
        select directive from opinion where directive = any(${directives}::text[])
      ) wanted
      join opinion o using (directive)
      left join decision d using (directive)
      where d.directive is null or d.revision <> o.revision or d.decision not in ('revoked', 'expired')
        or o.directive = any(${directives}::text[])
    `.execute(database),
    sql<{ target: string; memory: FoldMemory }>`
      select target, memory from folded where target = any(${targets}::text[])
    `.execute(database),
    sql<{ body: Buffer }>`
      select a.body from approval a
      where a.directive in (select o.directive from opinion o where o.target = any(${targets}::text[]))
      union all
      select a.body from approval a where a.directive = any(${directives}::text[]) and a.directive <> ''
      union all
      select a.body from approval a where a.batch <> '' and a.batch in (
        select o.batch from opinion o where o.target = any(${targets}::text[]) and o.batch <> ''
        union
        select unnest(${batches}::text[])
      )
    `.execute(database),
  ]);
  const published = new Map<string, PublishedDecision>();
  for (const { directive, revision, decision, reason, missing } of opinionRows.rows) {
    if (revision === null || decision === null) continue;
    published.set(directive, { revision, decision, reason: reason ?? "", missing: words(missing ?? "") });
  }
  return {
    opinions: opinionRows.rows.map(({ body }) => Directive.decode(body)),
    published,
    memories: new Map(foldedRows.rows.map(({ target, memory }) => [target, memory])),
    approvals: approvalRows.rows.map(({ body }) => Approval.decode(body)),
  };
}

/** Targets of directives that an approval names. */
export async function targetsOfDirectives(database: Database, directives: readonly string[]): Promise<string[]> {
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
