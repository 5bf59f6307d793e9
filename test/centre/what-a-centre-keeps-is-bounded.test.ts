import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "#platform/database.ts";
import { Decision } from "#proto/qalqan/events/v1/events.ts";
import { aheadKeptDays, outboxReadMax } from "../../services/centre/config.ts";
import { applyOwn } from "../../services/centre/store/national.ts";
import { readOutbox } from "../../services/centre/store/outbox.ts";
import { inTransaction } from "../../services/centre/store/transaction.ts";
import { startCentreDatabase } from "./centre-database.ts";

let started: Awaited<ReturnType<typeof startCentreDatabase>>;
beforeAll(async () => {
  started = await startCentreDatabase();
});
afterAll(() => started.close());

test("what the nation decided on directives that do not come back is kept for a month, not for ever", async () => {
  const { database } = started;
  const decide = (directive: string, sequence: number) =>
    inTransaction(database, (transaction) =>
      applyOwn(transaction, [
        {
          decision: Decision.fromPartial({ directive, revision: 1, decision: "accepted", region: "astana" }),
          sequence,
          // Long ago: its message is read again after PostgreSQL came back older.
          atMs: 1,
        },
      ]),
    );
  const kept = async () => {
    const { rows } = await sql<{ id: string }>`select id from decisions_ahead order by id`.execute(database);
    return rows.map(({ id }) => id);
  };
  for (const [index, id] of ["lost", "told-again", "young"].entries()) await decide(id, index + 1);
  expect(await kept()).toEqual(["lost", "told-again", "young"]);
  await sql`update decisions_ahead set kept_at = now() - make_interval(days => ${aheadKeptDays + 1})
    where id <> 'young'`.execute(database);
  await decide("told-again", 9);
  expect(await kept()).toEqual(["told-again", "young"]);
});

test("a pump reads an outbox by bytes too, and at least one event", async () => {
  const { database } = started;
  const insert = (number: number, bytes: number) =>
    sql`insert into outbox (lane, number, event, type, bytes, at_ms)
      values ('events', ${number}, ${`event-${number}`}, 'directives', ${Buffer.alloc(bytes, number)}, 0)
    `.execute(database);
  const third = Math.ceil(outboxReadMax.bytes / 3);
  for (let number = 1; number <= 4; number += 1) await insert(number, third);
  await insert(5, outboxReadMax.bytes + 1);
  for (let number = 6; number <= 6 + outboxReadMax.rows; number += 1) await insert(number, 10);
  const read: number[][] = [];
  for (let last = 0; ;) {
    const rows = await readOutbox(database, "events", last);
    if (rows.length === 0) break;
    read.push(rows.map(({ number }) => number));
    last = rows.at(-1)?.number ?? Infinity;
  }
  expect(read.flat()).toEqual(Array.from({ length: 6 + outboxReadMax.rows }, (_, index) => index + 1));
  expect(read.map(({ length }) => length)).toEqual([2, 2, 1, outboxReadMax.rows, 1]);
});
