import { createHash } from "node:crypto";
import { sql } from "#platform/database.ts";
import type { AuditRow, CentreTransaction, Reader } from "./schema.ts";

/** What was done, by whom, to what. */
export interface AuditEntry {
  readonly atMs: number;
  readonly person: string;
  readonly role: string;
  /** Such as `directive-accepted`, `intelligence-note-read`. */
  readonly what: string;
  /** Id of what it was done to. */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Hash before the first row. */
const genesis = Buffer.alloc(32);

const rowsPerRead = 1_000;

/**
 * Appends to the audit. The row of `audit_head` is locked until the commit, so
 * rows are chained in commit order, and every other command waits: call it after
 * all other work of the transaction.
 */
export async function writeAudit(transaction: CentreTransaction, entry: AuditEntry): Promise<void> {
  const detail = JSON.stringify(entry.detail);
  const text = auditText({ ...entry, detail });
  await sql`
    with head as (
      update audit_head set number = number + 1, hash = sha256(hash || ${Buffer.from(text)}::bytea)
      where one = 1 returning number, hash
    )
    insert into audit (number, at_ms, person, role, what, subject, detail, hash)
    select number, ${entry.atMs}::bigint, ${entry.person}::text, ${entry.role}::text, ${entry.what}::text,
      ${entry.subject}::text, ${detail}::text, hash from head`.execute(transaction);
}

/** The text of a row that its hash is taken over; the order of fields is final. */
function auditText(row: Omit<AuditEntry, "detail"> & { readonly detail: string }): string {
  return JSON.stringify([row.atMs, row.person, row.role, row.what, row.subject, row.detail]);
}

/**
 * Reads the whole audit and follows its chain.
 *
 * @returns how many rows there are, and the number of the first row that does not fit; undefined: all fit
 */
export async function verifyAudit(
  database: Reader,
): Promise<{ rows: number; firstBroken: number | undefined }> {
  let hash: Buffer = genesis;
  let last = 0;
  for (;;) {
    // Before the rows: what is written meanwhile is among them, and its head is looked at in the next turn.
    const head = await database.selectFrom("audit_head").selectAll().executeTakeFirstOrThrow();
    const rows = await database
      .selectFrom("audit")
      .selectAll()
      .where("number", ">", last)
      .orderBy("number")
      .limit(rowsPerRead)
      .execute();
    for (const row of rows) {
      const expected = chained(hash, row);
      if (row.number !== last + 1 || !expected.equals(row.hash)) return { rows: last, firstBroken: last + 1 };
      hash = row.hash;
      last = row.number;
    }
    if (rows.length > 0) continue;
    const complete = head.number === last && hash.equals(head.hash);
    return { rows: last, firstBroken: complete ? undefined : last + 1 };
  }
}

function chained(previous: Buffer, row: AuditRow): Buffer {
  const text = auditText({ ...row, atMs: row.at_ms });
  return createHash("sha256").update(previous).update(text).digest();
}
