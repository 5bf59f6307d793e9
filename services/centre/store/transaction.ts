import { Refusal } from "#domain/refusal.ts";
import { sql } from "#platform/database.ts";
import { OutcomeUnknown, transact, type CommitsNow, type Planning } from "#platform/transaction.ts";
import type { CentreDatabase, CentreTransaction } from "./schema.ts";

/**
 * Runs one transaction. When the connection is lost while it commits, nobody
 * can say whether it did: that is `unavailable`, never a success, and never the
 * promise that nothing was written.
 *
 * @throws Refusal `unavailable` when the commit's outcome is unknown
 */
export async function inTransaction<Result>(
  database: CentreDatabase,
  work: (transaction: CentreTransaction, commitsNow: CommitsNow) => Promise<Result>,
  planning?: Planning,
): Promise<Result> {
  try {
    return await transact(database, work, planning);
  } catch (error) {
    if (!(error instanceof OutcomeUnknown)) throw error;
    throw new Refusal({
      code: "unavailable",
      field: "",
      value: "",
      message: "the database went away while this was being written; whether it was, is not known",
      remedy:
        "repeat the same request with the same idempotency key: if it was written, that gives the first answer",
    });
  }
}

/** Takes locks that live as long as the transaction, always in the same order, so that none waits for another's. */
export async function lock(transaction: CentreTransaction, names: readonly string[]): Promise<void> {
  const inOrder = [...new Set(names)].sort();
  await Promise.all(
    inOrder.map((name) =>
      sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(transaction),
    ),
  );
}
