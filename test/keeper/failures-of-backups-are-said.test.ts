import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { KeptDatabase } from "./database-under-test.ts";

let kept: KeptDatabase;
beforeEach(async () => {
  kept = await KeptDatabase.start({ BACKUP_EVERY_HOURS: "0.002" });
});
afterEach(async () => {
  await kept.stop();
});

test("a folder with the backups of another database is left alone: nothing is added, nothing removed", async () => {
  writeFileSync(join(kept.backups, "system-identifier"), "7000000000000000001\n");
  mkdirSync(join(kept.backups, "base", "20200101T000000Z"), { recursive: true });
  kept.keeper.start();
  await until(() => kept.events("backup-failed").length >= 2);
  expect(await kept.readiness()).toMatchObject({
    ready: true,
    why: expect.stringContaining("those of the database 7000000000000000001") as string,
  });
  expect(readdirSync(join(kept.backups, "base"))).toEqual(["20200101T000000Z"]);
});

test("a backup that does not say what WAL it needs: new ones are made, and nothing is removed", async () => {
  mkdirSync(join(kept.backups, "base", "20200101T000000Z"), { recursive: true });
  kept.keeper.start();
  await until(() => kept.events("pruning-failed").length > 0, 60_000);
  expect(kept.events("backup-made")).toHaveLength(1);
  expect(kept.events("backup-failed")).toEqual([]);
  expect(kept.complete()).toHaveLength(2);
  expect((await kept.readiness()).why).toContain("old backups cannot be removed");
});

test("the server dies in the middle of a backup: it is given up, and made anew when the server is back", async () => {
  await kept.query(
    "create table bulk as select n, repeat(md5(n::text), 30) as text from generate_series(1, 60000) n",
  );
  kept.keeper.start();
  await until(() => kept.events("backup-begun").length > 0);
  await until(() => readdirSync(join(kept.backups, "base")).some((name) => name.endsWith(".new")));
  await kept.postgres.stop("SIGKILL");
  await until(() => kept.events("backup-failed").length > 0);
  expect(kept.events("backup-made")).toEqual([]);
  expect(readdirSync(join(kept.backups, "base"))).toEqual([]);
  await kept.startPostgres();
  await until(() => kept.events("backup-made").length > 0, 60_000);
  await until(async () => (await kept.readiness()).why === "the database answers");
});

test("WAL that cannot be archived is named, no backup is called complete without it, and both recover", async () => {
  const wal = join(kept.backups, "wal");
  renameSync(wal, `${wal}-away`);
  writeFileSync(wal, "no folder");
  await kept.query("create table something (n integer)");
  await kept.query("select pg_switch_wal()");
  kept.keeper.start();
  await until(async () => (await kept.readiness()).why.includes("cannot be archived"), 40_000);
  expect((await kept.readiness()).ready).toBe(true);
  expect(kept.events("archive-failing")).toHaveLength(1);
  expect(kept.events("backup-made")).toEqual([]);
  renameSync(wal, join(kept.folder, "no-folder"));
  renameSync(`${wal}-away`, wal);
  await until(() => kept.events("archive-recovered").length === 1, 90_000);
  await until(() => kept.events("backup-made").length > 0, 60_000);
});

test("a tablespace of its own is not silently left out", async () => {
  const elsewhere = join(kept.folder, "elsewhere");
  mkdirSync(elsewhere);
  await kept.query(`create tablespace elsewhere location '${elsewhere}'`);
  kept.keeper.start();
  await until(async () => (await kept.readiness()).why.includes("is outside the data folder"));
  expect(kept.complete()).toEqual([]);
});
