import type { Approval } from "#domain/opinion.ts";
import type { ApprovalRow, CentreTransaction, Reader } from "./schema.ts";

/** Approvals and refusals of a directive, and of its batch, in the order in which they were given. */
export async function readApprovals(database: Reader, directive: string, batch: string): Promise<Approval[]> {
  const rows = await database
    .selectFrom("approvals")
    .selectAll()
    .where((where) =>
      where.or([
        ...(directive === "" ? [] : [where("directive", "=", directive)]),
        ...(batch === "" ? [] : [where("batch", "=", batch)]),
      ]),
    )
    .orderBy("number")
    .execute();
  return rows.map(approvalOf);
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
