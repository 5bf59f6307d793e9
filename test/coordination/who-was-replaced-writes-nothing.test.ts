import { afterEach, beforeEach, expect, test } from "vitest";
import { sql, type Kysely } from "#platform/database.ts";
import { until, type Restartable } from "#test/replication/servers.ts";
import { noChanges } from "../../services/coordination/domain/changes.ts";
import { AuditChain } from "../../services/coordination/store/audit.ts";
import { Lead, LeaderReplaced } from "../../services/coordination/store/lead.ts";
import { migrations } from "../../services/coordination/store/migrations.ts";
import {
  enrolEpochs,
  enrolRegions,
  resetWatermark,
  waitForLanesNoMore,
} from "../../services/coordination/store/regions.ts";
import { writeVerifiedLanes } from "../../services/coordination/store/seals.ts";
import { loadState } from "../../services/coordination/store/start.ts";
import { trimMarks, trimNationalLog, trimRegionLog } from "../../services/coordination/store/trim.ts";
import { writeChanges } from "../../services/coordination/store/write.ts";
import { EmptyDatabase } from "./capital-processes.ts";

let opened: EmptyDatabase<unknown>;
let postgres: Restartable;
let database: Kysely<unknown>;

beforeEach(async () => {
  opened = await EmptyDatabase.open(migrations);
  ({ postgres, database } = opened);
});
afterEach(async () => opened.close());

/** What a leader does that has nothing of its own to move: neither a lane nor NATIONAL. */
async function write(lead: Lead): Promise<void> {
  const changes = noChanges(Date.now());
  changes.audit.push({ actor: "test", role: "", region: "capital", what: "test", detail: "{}" });
  await writeChanges(database, changes, await AuditChain.open(database), lead);
}

async function lines(): Promise<number> {
  const { rows } = await sql<{ lines: number }>`select count(*) as lines from audit`.execute(database);
  return rows[0]?.lines ?? 0;
}

test("a leader that another one has replaced writes and confirms nothing, though all stands where it left it", async () => {
  const former = await Lead.take(database);
  await write(former);
  const { sequence } = await loadState(database);
  await former.confirm(database, sequence);
  const next = await Lead.take(database);
  await expect(write(former)).rejects.toThrow(LeaderReplaced);
  await expect(former.confirm(database, sequence)).rejects.toThrow(LeaderReplaced);
  await write(next);
  await next.confirm(database, sequence);
  expect(await lines()).toBe(2);
});

test("nor does one that stood still while its database came back as it was then", async () => {
  const still = await Lead.take(database);
  const { sequence } = await loadState(database);
  await postgres.stop("SIGINT");
  // Nothing was written: the copy that is put back is this database itself.
  postgres.start();
  await until(async () => (await loadState(database)).sequence === sequence);
  await expect(write(still)).rejects.toThrow(LeaderReplaced);
  await expect(still.confirm(database, sequence)).rejects.toThrow(LeaderReplaced);
  await write(await Lead.take(database));
  expect(await lines()).toBe(1);
});

test("whoever leads next begins after what the one before is writing", async () => {
  const former = await Lead.take(database);
  let isTaken = false;
  let taking: Promise<unknown> = Promise.resolve();
  await database.transaction().execute(async (transaction) => {
    await former.assertHeld(transaction);
    taking = Lead.take(database).then(() => (isTaken = true));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isTaken).toBe(false);
  });
  await taking;
  expect(isTaken).toBe(true);
});

test("nor does it set lanes back, give them up, trim, or tell what is verified, once another one leads", async () => {
  const place = { region: "astana", lane: "events", epoch: 1 } as const;
  const { signal } = new AbortController();
  await enrolRegions(database, [place.region], Date.now());
  await enrolEpochs(database, place.region, [place.epoch]);
  const leaf = Buffer.alloc(32);
  await sql`update inbox set sequence = 9, read_to = 20`.execute(database);
  await sql`insert into lane_mark values ('astana', 'events', 1, 1, ${leaf}), ('astana', 'events', 1, 8, ${leaf})`.execute(
    database,
  );
  await sql`insert into national_log values (1, 1, 0, ${leaf}, ${leaf})`.execute(database);
  await sql`insert into region_log values ('astana', 1, 1, ${leaf})`.execute(database);
  const verified = { ...place, sequence: 3, last: 2, hash: leaf, keyId: "key" };
  const late: Readonly<Record<string, (lead: Lead) => Promise<unknown>>> = {
    inbox: (lead) => resetWatermark(database, lead, place, { sequence: 4, leaf: undefined }),
    lane_mark: (lead) => trimMarks(database, lead, place, 5),
    national_log: (lead) => trimNationalLog(database, lead, 1, 1, signal),
    region_log: (lead) => trimRegionLog(database, lead, place.region, 1, 1, signal),
    verified_lane: (lead) => writeVerifiedLanes(database, lead, [verified]),
    "inbox where sequence < read_to": (lead) => waitForLanesNoMore(database, lead),
  };
  const rows = async (table: string) =>
    (await sql`select * from ${sql.raw(table)} order by 1, 2, 3`.execute(database)).rows;
  const former = await Lead.take(database);
  const next = await Lead.take(database);
  for (const [table, writeLate] of Object.entries(late)) {
    const before = await rows(table);
    await expect(writeLate(former)).rejects.toThrow(LeaderReplaced);
    expect(await rows(table)).toEqual(before);
    await writeLate(next);
    expect(await rows(table)).not.toEqual(before);
  }
  // Nor does anybody set one ahead, where it was set further back.
  const before = await rows("inbox");
  await resetWatermark(database, next, place, { sequence: 7, leaf: undefined });
  expect(await rows("inbox")).toEqual(before);
});
