import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { connectControl } from "#infra/local/control.ts";
import { readRunFile } from "#infra/local/run-file.ts";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { connectAs } from "#test/infra/small-nation.ts";
import { readAll } from "#test/replication/servers.ts";
import { LocalSite } from "../../services/cli/backups/site.ts";
import {
  RunningNation,
  type DirectiveDocument,
  type ErrorDocument,
  type StatusDocument,
} from "./running-nation.ts";

const regions = ["astana", "almaty"];
const backups = mkdtempSync(join(tmpdir(), "qalqan-backups-"));
let nation: RunningNation;

beforeAll(async () => {
  nation = await RunningNation.start({ regions: regions.join(","), backups });
});
afterAll(async () => {
  await nation?.[Symbol.asyncDispose]();
  rmSync(backups, { recursive: true, force: true });
});

const capital = () => LocalSite.of(capitalSite, { data: nation.dataFolder });
const archived = () => join(capital().archive ?? "", "wal");

const words = (region: string, number: string, action: string) => [
  ...["directive", "issue", "--region", region, "--number", number, "--action", action],
  ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d"],
];
const issue = (region: string, number: string, action: string) =>
  nation.json<DirectiveDocument>(...words(region, number, action), "--wait");

interface Row {
  readonly sequence: number;
  readonly targets: readonly string[];
}

/** Messages of NATIONAL that change rows, as the hub has them. */
async function moved(): Promise<Row[]> {
  const hub = await connectAs({ run: readRunFile(nation.dataFolder) }, capitalSite, "coordination");
  await using _closing = hub;
  const messages = await readAll(hub, hubStream.national(firstEpoch));
  return messages.flatMap(({ sequence, data }) => {
    const { rows } = NationalBatch.decode(data);
    const targets = rows.map(({ row }) => (row?.$case === "entry" ? row.value.target : (row?.$case ?? "")));
    return targets.length === 0 ? [] : [{ sequence, targets }];
  });
}

/** What the nation is, as people see it, once nothing is under way. */
async function picture() {
  const look = async () => {
    const { regions: all } = await nation.json<StatusDocument>("status");
    const listed = await nation.json<DirectiveDocument[]>("directive", "list");
    return {
      tables: all.map(({ region, state, sequence, digest }) => ({ region, state, sequence, digest })),
      directives: listed
        .map(({ id, revision, state, target, action }) => ({ id, revision, state, target, action }))
        .toSorted((left, right) => (left.id < right.id ? -1 : 1)),
      protected: await nation.json<unknown[]>("protect", "list"),
    };
  };
  let before = await look();
  for (;;) {
    const now = await look();
    const isQuiet = now.tables.every(({ state }) => state === "in-sync");
    if (isQuiet && JSON.stringify(now) === JSON.stringify(before)) return now;
    before = now;
  }
}

/** All WAL of the capital up to now is archived, and its names. */
async function archiveNow(): Promise<ReadonlySet<string>> {
  const { server } = capital().postgres;
  const { password } = capital();
  const client = new pg.Client({
    ...capital().databaseAddress,
    user: server.superuser,
    password,
    database: server.database,
  });
  await client.connect();
  const { rows } = await client.query<{ name: string }>("select pg_walfile_name(pg_switch_wal()) as name");
  await client.end();
  await expect.poll(() => existsSync(join(archived(), rows[0]?.name ?? "")), { timeout: 30_000 }).toBe(true);
  return new Set(readdirSync(archived()));
}

/** The capital's database is lost with what was archived since, and its hub comes back as it was copied. */
async function comeBackOlder(kept: ReadonlySet<string>): Promise<void> {
  const control = connectControl(nation.dataFolder);
  await control.stopService(capitalSite, "coordination");
  await control.stopService(capitalSite, "postgres");
  rmSync(capital().database, { recursive: true });
  for (const file of readdirSync(archived())) if (!kept.has(file)) rmSync(join(archived(), file));
  await nation.json("local", "restore", "capital/nats");
}

test("a capital whose database and hub are older than its regions calls a person, and is rebuilt from them", async () => {
  await nation.json("backup", capitalSite);
  const revoked = await issue("astana", "+447911300001", "block");
  const kept = await archiveNow();
  await nation.json("local", "snapshot", "capital/nats");
  const old = await moved();
  // What the regions alone will have: two opinions on one number, of which the stricter is shown, and more.
  await issue("astana", "+447911300002", "warn");
  await issue("almaty", "+447911300002", "block");
  await nation.json("directive", "revoke", revoked.id, "--reason", "mistake", "--wait");
  await nation.json("protect", "add", "+77272590001", "--from", "dom-1", "--holder", "Sample Clinic");
  const before = await picture();
  const movedBefore = await moved();
  expect(movedBefore.length).toBeGreaterThan(old.length + 3);

  await comeBackOlder(kept);
  const restore = await nation.run("restore", capitalSite, "--yes", "--json");
  const { error } = JSON.parse(restore.stdout) as ErrorDocument;
  expect(error).toMatchObject({ code: "waits-for-person" });
  expect(error.message).toContain("`npx qalqan rebuild capital`");
  const { alarms } = await nation.json<{ alarms: { code: string; detail: string }[] }>("status");
  const asked = alarms.filter(({ code }) => code === "waits-for-person").map(({ detail }) => detail);
  expect(asked.join()).toContain("`npx qalqan rebuild capital`");
  // The regions go on meanwhile, and nothing is written that is another history.
  const meanwhile = await nation.json<DirectiveDocument>(...words("astana", "+447911300003", "block"));
  expect(await moved()).toEqual(old);

  // The stricter opinion comes up again long after the other one.
  await nation.json("local", "slow", "almaty", "--latency", "100", "--bandwidth", "1000000");
  const { filled } = await nation.json<{ filled: { stream: string }[] }>("rebuild", capitalSite, "--yes");
  expect(filled.map(({ stream }) => stream)).toContain(hubStream.national(firstEpoch));
  await nation.json("local", "heal", "almaty");
  const fresh = await issue("almaty", "+447911300004", "block");
  expect(fresh.receipts.map(({ state }) => state)).toEqual(regions.map(() => "enforced"));
  const after = await picture();
  expect(after.tables[0]?.sequence).toBeGreaterThan(before.tables[0]?.sequence ?? 0);
  expect(new Set(after.tables.map(({ digest }) => digest)).size).toBe(1);
  expect(after.protected).toEqual(before.protected);
  const [one, other] = [meanwhile, fresh].map(({ id }) => after.directives.find((each) => each.id === id));
  expect([one?.state, other?.state]).toEqual(["national", "national"]);
  expect(after.directives.filter((each) => each !== one && each !== other)).toEqual(before.directives);
  // Each change once, and none that a part of the opinions would have made.
  const numbers = ["+447911300003", "+447911300004"];
  const movedAfter = await moved();
  expect(movedAfter.slice(0, movedBefore.length)).toEqual(movedBefore);
  const since = movedAfter.slice(movedBefore.length).flatMap(({ targets }) => targets);
  expect(since.map((target) => numbers.find((number) => target.includes(number)))).toEqual(numbers);
});
