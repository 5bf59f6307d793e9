import type { Approval } from "#domain/opinion.ts";
import { sql } from "#platform/database.ts";
import type { ApprovalRow, CentreTransaction, Reader } from "./schema.ts";

/** Approvals and refusals of a directive, and of its batch, in the order in which they were given. */
export async function readApprovals(database: Reader, directive: string, batch: string): Promise<Approval[]> {
  // As the indexes say it: whoever plans once does not know that what is asked for is not empty.
  const { rows } = await sql<ApprovalRow>`
    select * from (
      select approvals.* from approvals where directive <> '' and directive = ${directive}
      union
      select approvals.* from approvals where batch <> '' and batch = ${batch}
    ) found
    order by number
  `.execute(database);
  return rows.map(approvalOf);
}

/** Those of these directives, by directive, in the order in which they were given. */
export async function readApprovalsOf(
  database: Reader,
  directives: readonly string[],
): Promise<ReadonlyMap<string, readonly Approval[]>> {
  const { rows } = await sql<ApprovalRow>`
    select found.* from unnest(${directives}::text[]) wanted (directive)
    cross join lateral (
      select * from approvals where directive <> '' and approvals.directive = wanted.directive offset 0
    ) found
    order by number
  `.execute(database);
  return Map.groupBy(rows.map(approvalOf), ({ directive }) => directive);
}

function approvalOf(row: Omit<ApprovalRow, "number">): Approval {
  const { directive, revision, batch, person, role, region, kind, approved, complete } = row;
  return { directive, revision, batch, person, role, region, kind, approved, complete, atMs: row.at_ms };
}

export async function insertApproval(transaction: CentreTransaction, approval: Approval): Promise<void> {
  const { directive, revision, batch, person, role, region, kind, approved, complete, atMs } = approval;
  await transaction
    .insertInto("approvals")
    .values({ directive, revision, batch, person, role, region, kind, approved, complete, at_ms: atMs })
    .execute();
}

/** Writes those that are not known yet, in order; no two of them are the same. */
export async function insertUnknownApprovals(
  transaction: CentreTransaction,
  approvals: readonly Approval[],
): Promise<void> {
  if (approvals.length === 0) return;
  const given = approvals.map(({ atMs, ...approval }, place) => ({ ...approval, at_ms: atMs, place }));
  await sql`
    insert into approvals (directive, revision, batch, person, role, region, kind, approved, at_ms, complete)
    select directive, revision, batch, person, role, region, kind, approved, at_ms, complete
    from json_to_recordset(${JSON.stringify(given)}::json) as given (
      directive text, revision integer, batch text, person text, role text, region text, kind text,
      approved boolean, at_ms bigint, complete boolean, place integer)
    where not exists (
        select from approvals known
        where known.directive <> '' and known.directive = given.directive and ${isSame})
      and not exists (
        select from approvals known
        where known.batch <> '' and known.batch = given.batch and ${isSame})
    order by place`.execute(transaction);
}

const isSame = sql`(known.revision, known.person, known.kind, known.approved)
  = (given.revision, given.person, given.kind, given.approved)`;
