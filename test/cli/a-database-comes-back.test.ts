import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { restoreScript, wantedVariables } from "#infra/kubernetes/restore-objects.ts";
import { startServers, temporaryFolder, until } from "#test/infra/small-nation.ts";
import { moveAside } from "../../services/cli/backups/restore-database.ts";
import { LocalSite } from "../../services/cli/backups/site.ts";
import { runCli } from "./run-cli.ts";

const folder = temporaryFolder();
const backups = join(folder.path, "backups here");
let nation: Awaited<ReturnType<typeof startServers>>;

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana"], ["postgres"], backups);
  await query("create table row (id int primary key, at timestamptz not null default clock_timestamp())");
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

const site = () => LocalSite.of("astana", { data: folder.path });

/** Asks the region's database as its services do. */
async function query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  const { server } = site().postgres;
  const client = new pg.Client({
    ...site().databaseAddress,
    user: server.superuser,
    password: site().password,
    database: server.database,
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const rows = async () => (await query<{ id: number }>("select id from row order by id")).map(({ id }) => id);

async function qalqan(...words: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runCli(...words, "--data", folder.path, "--json");
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function failure(...words: string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await runCli(...words, "--data", folder.path, "--json");
  expect(code).not.toBe(0);
  return (JSON.parse(stdout) as { error: Record<string, unknown> }).error;
}

test("a backup of all sites is made while they work, and a second one beside it", async () => {
  await query("insert into row values (1)");
  const { backups: made } = await qalqan("backup");
  expect(made).toMatchObject([
    { site: "capital", continuous: true },
    { site: "astana", continuous: true },
  ]);
  await qalqan("backup", "astana");
  expect(readdirSync(join(backups, "astana", "base"))).toHaveLength(2);
});

test("what was committed after the base backup comes back too when the disk is lost", async () => {
  await query("insert into row values (2)");
  await nation.stopService("astana", "postgres");
  rmSync(site().database, { recursive: true });
  const restored = await qalqan("restore", "astana", "--yes");
  expect(restored).toMatchObject({ site: "astana", timeline: 2, setAside: null });
  expect(await rows()).toEqual([1, 2]);
});

test("a restore goes back to a moment, and what was there before it is kept aside", async () => {
  await query("insert into row values (3)");
  const [moment] = await query<{ now: string }>(
    "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as now",
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  await query("insert into row values (4)");
  const restored = await qalqan("restore", "astana", "--until", String(moment?.now), "--yes");
  expect(await rows()).toEqual([1, 2, 3]);
  expect(readdirSync(String(restored["setAside"]))).toEqual(["postgres-database"]);
  // The history that was left can be gone back to, though the newest base backup is of the one after it.
  await query("insert into row values (5)");
  await qalqan("backup", "astana");
  const older = await qalqan("restore", "astana", "--timeline", "2", "--yes");
  expect(older["backup"]).toBe(restored["backup"]);
  expect(await rows()).toEqual([1, 2, 3, 4]);
});

test("a backup into another folder holds the moment of its end, and can be restored from there alone", async () => {
  const elsewhere = join(folder.path, "elsewhere");
  await query("insert into row values (6)");
  const { backups: made } = await qalqan("backup", "astana", "--to", elsewhere);
  expect(made).toMatchObject([{ site: "astana", continuous: false }]);
  await query("insert into row values (7)");
  // All that the region had archived by itself is lost.
  rmSync(join(backups, "astana"), { recursive: true });
  await qalqan("restore", "astana", "--from", elsewhere, "--yes");
  expect(await rows()).toEqual([1, 2, 3, 4, 6]);
});

test("after that the region is archived as before, from its next base backup on", async () => {
  await qalqan("backup", "astana");
  await query("insert into row values (8)");
  await qalqan("restore", "astana", "--yes");
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8]);
});

/** What the pod of the printed steps does on a cluster, done here; the server has the same `restore_command` there. */
async function putBack(moment?: string, timeline?: number): Promise<string> {
  await nation.stopService("astana", "postgres");
  const wanted = wantedVariables(moment === undefined ? undefined : new Date(moment), timeline);
  const place = { DATA_DIRECTORY: site().database, BACKUP_DIRECTORY: join(backups, "astana") };
  // As if all of it came to pass within one second.
  const bin = join(folder.path, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "date"), "#!/bin/sh\necho 20260302T120000Z\n", { mode: 0o755 });
  const environment = {
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    LC_ALL: "C",
    ...wanted,
    ...place,
  };
  const said = execFileSync("/bin/sh", ["-c", restoreScript], { env: environment, encoding: "utf8" });
  await nation.startService("astana", "postgres");
  await untilItAnswers();
  return said;
}

const untilItAnswers = () =>
  until("the database answers", async () => (await query("select 1").catch(() => [])).length === 1);

test("on a cluster the script of the pod puts a base backup back, and the server replays what was archived since", async () => {
  await query("insert into row values (9)");
  expect(await putBack()).toMatch(/^put back: the base backup \d{8}T\d{6}Z$/m);
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9]);
  const [moment] = await query<{ now: Date }>("select clock_timestamp() as now");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await query("insert into row values (10)");
  await putBack(moment?.now.toISOString());
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9]);
  // What a restore to a moment left in the settings does not hold for the next one.
  await qalqan("backup", "astana");
  await query("insert into row values (11)");
  await putBack();
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9, 11]);
  // A backup that had not ended by then is none for that moment.
  const labels = readdirSync(join(backups, "astana", "base")).toSorted();
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(backups, "astana", "base", labels.at(-1) ?? "", "backup_label"), later, later);
  const before = new Date().toISOString();
  await query("insert into row values (12)");
  expect(await putBack(before)).toContain(labels.at(-2));
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9, 11]);
  await expect(putBack("2020-01-01T00:00:00Z")).rejects.toThrow("no base backup is old enough");
  await nation.startService("astana", "postgres");
  await untilItAnswers();
});

test("on a cluster too a base backup is taken from which the log leads to the history that is wanted", async () => {
  const before = await rows();
  await query("insert into row values (13)");
  const [moment] = await query<{ now: Date; timeline: number }>(`
    select clock_timestamp() as now,
      ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await query("insert into row values (14)");
  await qalqan("backup", "astana");
  const newest = readdirSync(join(backups, "astana", "base"))
    .toSorted()
    .at(-1);
  expect(await putBack(moment?.now.toISOString())).not.toContain(newest);
  await query("insert into row values (15)");
  // The newest base backup is of the history that was left, after it was.
  expect(await putBack()).not.toContain(newest);
  expect(await rows()).toEqual([...before, 13, 15]);
  expect(await putBack(undefined, moment?.timeline)).toContain(newest);
  expect(await rows()).toEqual([...before, 13, 14]);
  expect(await putBack(undefined, (moment?.timeline ?? 0) + 1)).not.toContain(newest);
  expect(await rows()).toEqual([...before, 13, 15]);
  await expect(putBack(undefined, 99)).rejects.toThrow("no base backup leads to history 99");
  await nation.startService("astana", "postgres");
  await untilItAnswers();
});

test("what cannot be done changes nothing, and says what to do", async () => {
  expect(await failure("restore", "astana")).toMatchObject({ code: "wrong-use", field: "yes" });
  expect(await failure("restore", "atlantis", "--yes")).toMatchObject({ code: "unknown-region" });
  const empty = join(folder.path, "empty");
  expect(await failure("restore", "astana", "--from", empty, "--yes")).toMatchObject({
    code: "no-backup",
    field: "from",
  });
  expect(await failure("restore", "astana", "--until", "2020-01-01", "--yes")).toMatchObject({
    code: "no-backup",
    field: "until",
  });
  expect(await failure("restore", "astana", "--timeline", "99", "--yes")).toMatchObject({
    code: "no-backup",
    field: "timeline",
  });
  expect(await failure("restore", "astana", "--until", "2100-01-01", "--yes")).toMatchObject({
    code: "not-restorable",
    message: expect.stringContaining("does not reach 2100-01-01") as string,
  });
  mkdirSync(join(backups, "almaty"), { recursive: true });
  writeFileSync(join(folder.path, "elsewhere", "astana", "system-identifier"), "7000000000000000001\n");
  expect(await failure("backup", "astana", "--to", join(folder.path, "elsewhere"))).toMatchObject({
    code: "not-backed-up",
  });
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9, 11, 13, 15]);
});

test("what is set aside twice within one second is kept twice", () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-03-02T12:00:00Z") });
  const kept = [1, 2].map((time) => {
    const path = join(folder.path, "to be set aside");
    mkdirSync(path);
    writeFileSync(join(path, "content"), String(time));
    return String(moveAside(site(), [path]));
  });
  vi.useRealTimers();
  expect(kept.map((path) => readFileSync(join(path, "to be set aside", "content"), "utf8"))).toEqual([
    "1",
    "2",
  ]);
});

test("a nation that does not run is restored too, and goes on there at its next start", async () => {
  await nation.stop();
  rmSync(site().database, { recursive: true });
  await qalqan("restore", "astana", "--yes");
  nation = await startServers(folder.path, ["astana"], ["postgres"]);
  expect(await rows()).toEqual([1, 2, 3, 4, 6, 8, 9, 11, 13, 15]);
});
