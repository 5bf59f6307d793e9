import { afterEach, beforeEach, expect, test } from "vitest";
import { sql } from "#platform/database.ts";
import { transact } from "#platform/transaction.ts";
import { readApprovals } from "../../services/centre/store/approvals.ts";
import { readFacts } from "../../services/centre/store/directives.ts";
import type { Reader } from "../../services/centre/store/schema.ts";
import { startCentreDatabase } from "./centre-database.ts";

let started: Awaited<ReturnType<typeof startCentreDatabase>>;
beforeEach(async () => {
  started = await startCentreDatabase();
});
afterEach(() => started.close());

/** Which indexes a read goes through that is planned on the tables of a new region. */
async function indexesOf(read: (reader: Reader) => Promise<unknown>, table: string): Promise<string[]> {
  const planned = async (transaction: Reader) => {
    await read(transaction);
    const { rows } = await sql<{ name: string }>`
      select indexrelid::regclass::text as name from pg_index
      where indrelid = ${table}::regclass and pg_stat_get_xact_numscans(indexrelid) > 0 order by 1
    `.execute(transaction);
    return rows.map(({ name }) => name);
  };
  return transact(started.database, planned, "once");
}

test("an author's singly written directives are not looked for among all that he imported", async () => {
  const about = {
    author: "p",
    target: "+77010000000",
    action: "block",
    numbers: [],
    idempotencyKey: "k",
  } as const;
  expect(await indexesOf((reader) => readFacts(reader, { ...about, nowMs: 1 }), "directives")).toEqual([
    "directives_of_author",
    "directives_of_author_on_target",
  ]);
});

test("the approvals of one directive are not looked for among all of them", async () => {
  const read = (reader: Reader) => readApprovals(reader, "astana-1", "astana-2");
  expect(await indexesOf(read, "approvals")).toEqual(["approvals_of_batch", "approvals_of_directive"]);
});
