import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { KeptDatabase } from "./database-under-test.ts";

let kept: KeptDatabase;
let writer: Writer | undefined;

/** Commits rows, one after the other, each in some of many tables, until it is stopped. */
class Writer {
  /** Every row up to this number was acknowledged. */
  committed = 0;
  readonly #client: pg.Client;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  static async begin(database: KeptDatabase): Promise<Writer> {
    const client = await database.connect();
    await client.query("create table row (id bigint primary key, text text not null)");
    // So much that a copy of it takes a while, and is written to meanwhile.
    await client.query(
      "create table bulk as select n, repeat(md5(n::text), 30) as text from generate_series(1, 60000) n",
    );
    await client.query("create unique index on bulk (n)");
    const begun = new Writer(client);
    begun.#running = begun.#run();
    // Heard of when it is stopped.
    begun.#running.catch(() => undefined);
    return begun;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const id = this.committed + 1;
      await this.#client.query("insert into row values ($1::bigint, repeat(md5($1::bigint::text), 20))", [
        id,
      ]);
      await this.#client.query("update bulk set text = repeat(md5($1::bigint::text), 30) where n = $2", [
        id,
        (id * 7_919) % 60_000,
      ]);
      this.committed = id;
    }
  }
}

beforeEach(async () => {
  kept = await KeptDatabase.start({ BACKUP_EVERY_HOURS: "0.0005", BACKUPS_KEPT: "2" });
});
afterEach(async () => {
  await writer?.stop().catch(() => undefined);
  writer = undefined;
  await kept.stop();
});

/** Restores a backup, and sees that it has every row up to a number, whole, without gaps. */
async function expectRows(label: string, upTo: number): Promise<void> {
  const client = await kept.restore(label);
  const { rows } = await client.query<{ count: string; last: string; whole: boolean; bulk: string }>(`
    select count(*) as count, max(id) as last, bool_and(text = repeat(md5(id::text), 20)) as whole,
      (select count(*) from bulk) as bulk
    from row`);
  expect(rows[0]).toMatchObject({ whole: true, bulk: "60000", count: rows[0]?.last });
  expect(Number(rows[0]?.last)).toBeGreaterThanOrEqual(upTo);
  // Indexes too: they were copied while they changed.
  await client.query("set enable_seqscan = off");
  const { rows: byIndex } = await client.query<{ found: string }>(
    "select count(*) as found from row where id between 1 and $1",
    [upTo],
  );
  expect(byIndex[0]?.found).toBe(String(upTo));
  await client.end();
  await kept.endRestored();
}

test("a backup made under writes gives back every row up to the last archived segment", async () => {
  writer = await Writer.begin(kept);
  kept.keeper.start();
  await until(() => kept.events("backup-made").length > 0, 60_000);
  const [made] = kept.events("backup-made");
  await kept.keeper.stop("SIGTERM");
  await sleep(300);
  const { committed } = writer;
  await kept.archiveNow();
  await kept.postgres.stop("SIGKILL");
  await expectRows(String(made?.["label"]), committed);
  expect(Number(made?.["bytes"])).toBeGreaterThan(50_000_000);

  const [label = ""] = kept.complete();
  const copy = join(kept.backups, "base", label);
  expect(readdirSync(join(copy, "pg_wal"))).toEqual([]);
  for (const file of ["postmaster.pid", "postmaster.opts"]) expect(existsSync(join(copy, file))).toBe(false);
  expect(statSync(copy).mode & 0o077).toBe(0);
  expect(readFileSync(join(copy, "backup_label"), "utf8")).toContain(`LABEL: ${label}`);
  expect(kept.keeperLog()).not.toContain("the-first-password");
});

test("kill -9 of the keeper at any moment leaves complete backups only, and the next start clears up", async () => {
  writer = await Writer.begin(kept);
  const drafts = new Set<number>();
  for (const [kill, afterMs] of [0, 40, 120, 250, 400, 700].entries()) {
    const before = kept.events("backup-begun").length;
    kept.keeper.start();
    await until(() => kept.events("backup-begun").length > before, 60_000);
    await sleep(afterMs);
    await kept.keeper.stop("SIGKILL");
    if (readdirSync(join(kept.backups, "base")).some((name) => name.endsWith(".new"))) drafts.add(kill);
    for (const label of kept.complete()) {
      const copy = join(kept.backups, "base", label);
      for (const file of ["backup_label", "PG_VERSION", "global/pg_control"])
        expect(existsSync(join(copy, file))).toBe(true);
    }
  }
  // Otherwise this test would show nothing.
  expect(drafts.size).toBeGreaterThan(0);
  const made = kept.events("backup-made").length;
  kept.keeper.start();
  await until(() => kept.events("backup-made").length > made, 60_000);
  await kept.keeper.stop("SIGKILL");
  expect(kept.events("backup-draft-removed").length).toBeGreaterThan(0);
  const { committed } = writer;
  await kept.archiveNow();
  for (const label of kept.complete()) await expectRows(label, committed);
});

test("after a restore in place the keeper goes on: what it backs up then can be restored too", async () => {
  writer = await Writer.begin(kept);
  kept.keeper.start();
  await until(() => kept.events("backup-made").length > 0, 60_000);
  await kept.keeper.stop("SIGKILL");
  const [label = ""] = kept.complete();
  const { committed } = writer;
  await kept.archiveNow();
  await writer.stop();
  // It waits for its children, which write into the folder that is removed.
  await kept.postgres.stop("SIGQUIT");
  await kept.restoreInPlace(label);

  const made = kept.events("backup-made").length;
  kept.keeper.start();
  await until(() => kept.events("backup-made").length > made, 60_000);
  await kept.keeper.stop("SIGKILL");
  const [row] = await kept.query<{ last: string }>("select max(id) as last from row");
  expect(Number(row?.last)).toBeGreaterThanOrEqual(committed);
  await kept.query("insert into row select max(id) + 1, repeat(md5((max(id) + 1)::text), 20) from row");
  await kept.archiveNow();
  // Another history of the log than the first, in the same archive.
  expect(kept.wal()).toContain("00000002.history");
  expect(kept.events("backup-made").at(-1)?.["lastSegment"]).toMatch(/^00000002/);
  await expectRows(kept.complete().at(-1) ?? "", Number(row?.last) + 1);
});

test("pruning keeps as many backups as are wanted, and all the WAL that the oldest of them needs", async () => {
  writer = await Writer.begin(kept);
  kept.keeper.start();
  await until(() => kept.events("backups-pruned").length >= 2, 120_000);
  await kept.keeper.stop("SIGTERM");
  const complete = kept.complete();
  expect(complete.length).toBeLessThanOrEqual(3);
  const [oldest = ""] = complete.slice(-2);
  const needed = /\(file ([0-9A-F]{24})\)/.exec(
    readFileSync(join(kept.backups, "base", oldest, "backup_label"), "utf8"),
  )?.[1];
  const pruned = kept.events("backups-pruned").reduce((sum, { segments }) => sum + Number(segments), 0);
  expect(pruned).toBeGreaterThan(0);
  // Stopped between a backup and its pruning, one more is there, and its WAL too.
  expect(kept.wal().some((name) => name.startsWith(needed ?? "nowhere"))).toBe(true);
  await sleep(300);
  const { committed } = writer;
  await kept.archiveNow();
  await expectRows(oldest, committed);
});
