import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgres } from "#infra/blueprint/parts.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { initialise, postgresCommand } from "#infra/local/postgres.ts";
import { openDatabase, sql, type Kysely } from "#platform/database.ts";
import { OutcomeUnknown, together, transact } from "#platform/transaction.ts";
import { Restartable, testLog } from "#test/replication/servers.ts";

const startWaitMs = 60_000;

let folder: string;
let server: Restartable;
let database: Kysely<unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "qalqan-transact-"));
  const { program } = postgres("capital", { cpuMilli: 1, memoryMebibytes: 1 }, 1);
  if (program.kind !== "postgres") throw new Error("the blueprint's PostgreSQL is another program");
  const ports = new Ports(DataFolder.create(join(folder, "ports")));
  await ports.prepare(["postgres"]);
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, "the-password\n");
  await initialise(join(folder, "data"), program.server, passwordFile);
  const port = ports.port("postgres");
  const [file = "", ...parameters] = postgresCommand(join(folder, "data"), program.server, port);
  server = new Restartable(() => spawn(file, parameters, { stdio: "ignore" }));
  server.start();
  const { superuser, database: name } = program.server;
  const config = {
    DATABASE_URL: `postgres://${superuser}@127.0.0.1:${port}/${name}`,
    DATABASE_PASSWORD_FILE: readFileSync(passwordFile, "utf8").trim(),
  };
  const { signal } = new AbortController();
  database = await openDatabase<unknown>(config, {}, testLog, signal);
  await sql`create table step (number integer primary key, word text not null)`.execute(database);
}, startWaitMs);

afterAll(async () => {
  await database.destroy();
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function words(): Promise<string[]> {
  const { rows } = await sql<{ word: string }>`select word from step order by number`.execute(database);
  return rows.map(({ word }) => word);
}

describe("statements of one transaction that are sent together", () => {
  test("say why the first one failed, also to whoever waits for a later one", async () => {
    const attempt = transact(database, async (transaction) => {
      const failing = sql`insert into step values (0, null)`.execute(transaction);
      failing.catch(() => undefined);
      await sql`select number from step`.execute(transaction);
      await failing;
    });
    // not_null_violation, not in_failed_sql_transaction.
    await expect(attempt).rejects.toMatchObject({ code: "23502" });
    expect(await words()).toEqual([]);
  });

  test("are carried out in the order in which they were sent, and are there once it is over", async () => {
    await transact(database, async (transaction) => {
      await Promise.all([
        sql`insert into step values (1, 'first')`.execute(transaction),
        sql`update step set word = word || ', then second' where number = 1`.execute(transaction),
        sql`insert into step select 2, word || ', then third' from step where number = 1`.execute(
          transaction,
        ),
      ]);
    });
    expect(await words()).toEqual(["first, then second", "first, then second, then third"]);
  });

  test("leave nothing when one of them fails, and the connection serves the next", async () => {
    await sql`truncate step`.execute(database);
    const failing = transact(database, async (transaction) => {
      await Promise.all([
        sql`insert into step values (1, 'before')`.execute(transaction),
        sql`insert into step values (1, 'again')`.execute(transaction),
        sql`insert into step values (2, 'after')`.execute(transaction),
      ]);
    });
    await expect(failing).rejects.toThrow(/duplicate key/);
    expect(await words()).toEqual([]);
    await transact(database, (transaction) => sql`insert into step values (3, 'next')`.execute(transaction));
    expect(await words()).toEqual(["next"]);
  });

  test("leave nothing when the work itself fails after they were answered", async () => {
    await sql`truncate step`.execute(database);
    const failing = transact(database, async (transaction) => {
      await sql`insert into step values (1, 'written')`.execute(transaction);
      throw new Error("decided otherwise");
    });
    await expect(failing).rejects.toThrow("decided otherwise");
    expect(await words()).toEqual([]);
  });

  test("answer each its own question, where they only ask", async () => {
    const answers = await together(database, (reader) =>
      Promise.all(
        [1, 2, 3].map((number) => sql<{ n: number }>`select ${number}::integer as n`.execute(reader)),
      ),
    );
    expect(answers.map(({ rows }) => rows[0]?.n)).toEqual([1, 2, 3]);
  });
});

describe("a commit that follows the last statements at once", () => {
  const insert = (transaction: Kysely<unknown>, number: number, word: string | null) =>
    sql`insert into step (number, word) values (${number}, ${word})`.execute(transaction);

  test("is answered once everything is there", async () => {
    await sql`truncate step`.execute(database);
    await transact(database, async (transaction, commitsNow) => {
      const writing = Promise.all([insert(transaction, 1, "one"), insert(transaction, 2, "two")]);
      commitsNow();
      await writing;
    });
    expect(await words()).toEqual(["one", "two"]);
  });

  test("undoes all where one of them fails, and says why", async () => {
    await sql`truncate step`.execute(database);
    const failing = transact(database, async (transaction, commitsNow) => {
      const writing = Promise.all([1, 1, 2].map((number) => insert(transaction, number, "word")));
      commitsNow();
      await writing;
    });
    await expect(failing).rejects.toMatchObject({ code: "23505" });
    expect(await words()).toEqual([]);
  });

  test("does not come where one of them could not even be sent", async () => {
    await sql`truncate step`.execute(database);
    const unsendable = {
      toPostgres: () => {
        throw new Error("has no form that could be sent");
      },
    };
    const failing = transact(database, async (transaction, commitsNow) => {
      const writing = Promise.all([
        insert(transaction, 1, "sent"),
        sql`insert into step (number, word) values (2, ${unsendable})`.execute(transaction),
      ]);
      commitsNow();
      await writing;
    });
    await expect(failing).rejects.toThrow("has no form that could be sent");
    expect(await words()).toEqual([]);
  });

  test("lets nothing be sent after it", async () => {
    await sql`truncate step`.execute(database);
    const late = transact(database, async (transaction, commitsNow) => {
      const writing = insert(transaction, 1, "in time");
      commitsNow();
      await writing;
      await insert(transaction, 2, "late");
    });
    await expect(late).rejects.toThrow("sent after the commit");
    expect(await words()).toEqual(["in time"]);
  });

  test("leaves it unknown whether it was done, where the connection goes before the answer", async () => {
    await sql`truncate step`.execute(database);
    const lost = transact(database, async (transaction, commitsNow) => {
      const writing = Promise.all([
        insert(transaction, 1, "word"),
        sql`select pg_terminate_backend(pg_backend_pid())`.execute(transaction),
      ]);
      commitsNow();
      await writing;
    });
    await expect(lost).rejects.toThrow(OutcomeUnknown);
    expect(await words()).toEqual([]);
  });
});

describe("a statement with parameters", () => {
  test("is read once by each connection, and planned each time", async () => {
    const rows = await together(database, async (reader) => {
      for (const number of [1, 2, 3, 4, 5, 6, 7])
        await sql`select word from step where number > ${number}`.execute(reader);
      const known = await sql<{ generic: number; custom: number }>`
        select generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements
        where statement like 'select word from step where number >%'`.execute(reader);
      return known.rows;
    });
    expect(rows).toEqual([{ generic: 0, custom: 7 }]);
  });

  test("is planned once where that was asked for, and by index though the table was empty then", async () => {
    await sql`create table many (number integer primary key, word text not null)`.execute(database);
    // From now on PostgreSQL knows that it is empty: reading all of it would be the shortest way.
    await sql`vacuum many`.execute(database);
    const known = await transact(
      database,
      async (transaction) => {
        const ask = () => sql`select word from many where number = ${7}`.execute(transaction);
        await ask();
        await sql`insert into many select n, 'word' from generate_series(1, 1000) n`.execute(transaction);
        for (let times = 0; times < 3; times += 1) await ask();
        const { rows } = await sql`
          select generic_plans::int as once, custom_plans::int as "each",
            (select idx_scan::int from pg_stat_xact_user_tables where relname = 'many') as "byIndex"
          from pg_prepared_statements where statement like 'select word from many%'`.execute(transaction);
        return rows;
      },
      "once",
    );
    expect(known).toEqual([{ once: 4, each: 0, byIndex: 4 }]);
  });

  test("goes on after a newer release has added a column, also where it asks for all columns", async () => {
    await together(database, async (reader) => {
      await sql`insert into step values (50, 'kept')`.execute(reader);
      const ask = async () => (await sql`select * from step where number = ${50}`.execute(reader)).rows;
      expect(await ask()).toEqual([{ number: 50, word: "kept" }]);
      await sql`alter table step add column more text`.execute(reader);
      expect(await ask()).toEqual([{ number: 50, word: "kept", more: null }]);
    });
  });

  test("that failed in a transaction can be sent again", async () => {
    const insert = () =>
      transact(database, (transaction) =>
        Promise.all([100, 100].map((n) => sql`insert into step values (${n}, ${"x"})`.execute(transaction))),
      );
    await expect(insert()).rejects.toThrow("duplicate key");
    await expect(insert()).rejects.toThrow("duplicate key");
    await transact(database, (transaction) =>
      sql`insert into step values (${100}, ${"x"})`.execute(transaction),
    );
    expect(await words()).toContain("x");
  });
});
