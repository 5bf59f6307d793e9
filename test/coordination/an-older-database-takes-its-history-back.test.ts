import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nextSeal, type SealingKey } from "#domain/seal.ts";
import { appendAt } from "#platform/append.ts";
import { call } from "#platform/grpc-client.ts";
import { sealMessage } from "#platform/seal-message.ts";
import { firstEpoch, hubStream, hubSubject } from "#proto/names.ts";
import { Event, NationalBatch, RegionHeartbeat } from "#proto/qalqan/events/v1/events.ts";
import type { Seal } from "#proto/qalqan/events/v1/sync.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf, numberOf, revokedOf } from "./directives.ts";
import { appendPatiently, lastOf } from "#test/replication/servers.ts";

let capital: CapitalUnderTest;
beforeEach(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"]);
});
afterEach(async () => {
  await capital.stop();
});

const bank = "+77272000000";

async function decided(directive: string, decision: string): Promise<boolean> {
  const { batches } = await capital.national();
  return batches.some(({ decisions }) =>
    decisions.some((each) => each.directive === directive && each.decision === decision),
  );
}

/** The table that PostgreSQL has, as the digests of its rows say. */
async function positions() {
  const [state] = await capital.query<{ sequence: number; digest: Buffer }>(
    "select sequence::int as sequence, digest from national_state",
  );
  const { batches, table } = await capital.national();
  return { state, published: batches.length, digest: Buffer.from(table.digest) };
}

test("a capital restored from an older copy takes back what the hub has of it, and loses nothing that it decided", async () => {
  const kept = directiveOf("astana", 1);
  const revoked = directiveOf("astana", 2);
  await capital.send("astana", "urgent", directives(kept), directives(revoked));
  await until(() => decided(revoked.id, "accepted"));
  await capital.coordination.stop("SIGTERM");
  await capital.keepDatabase();
  capital.coordination.start();
  await capital.ready();

  const batch = idOf("almaty", 50);
  const members = [51, 52, 53].map((index) => memberOf("almaty", batch, index));
  const late = directiveOf("almaty", 3, { action: "warn" });
  // The row shows the strictest, which comes by the other lane, with much else: it must not be left out meanwhile.
  const strictest = directiveOf("astana", 5, { target: late.target });
  const others = Array.from({ length: 900 }, (_, index) => directiveOf("astana", 100 + index));
  const override = directiveOf("almaty", 4, {
    ...{ target: kept.target, action: "warn", authorRole: "regional-prosecutor" },
    overrideRevision: (await capital.national()).table.entriesOf(kept.target).measure?.revision ?? 0,
  });
  await capital.send("astana", "urgent", directives(revokedOf(revoked)));
  await capital.send("almaty", "events", directives(...members));
  await capital.send("almaty", "urgent", { $case: "approval", value: approvalOf("almaty", { batch }) });
  await capital.send("almaty", "urgent", directives(late), directives(override));
  await capital.send("astana", "events", directives(...others, strictest));
  const metadata = await capital.token("central-prosecutor");
  const number = { number: bank, originatesFrom: ["bank-trunk"], holder: "Bank" };
  await call(capital.client.addProtectedNumber.bind(capital.client), number, { metadata });
  await until(async () => {
    const { table } = await capital.national();
    const isWhole = [51, 52, 53].every((index) => table.entriesOf(numberOf(index)).measure !== undefined);
    const { action } = table.entriesOf(late.target).measure ?? {};
    return (
      isWhole &&
      action === "block" &&
      (await decided(override.id, "accepted")) &&
      (await decided(revoked.id, "revoked"))
    );
  });
  const before = await capital.national();

  await capital.coordination.stop("SIGKILL");
  await capital.restoreDatabase();
  capital.coordination.start();
  await capital.ready();
  await until(() => capital.log().includes('"event":"recovered"'));
  const { state, published, digest } = await positions();
  expect(state?.sequence).toBeGreaterThanOrEqual(before.batches.length);
  // Lanes are read again; whatever that repeats changes nothing of what is enforced.
  const fresh = directiveOf("astana", 60);
  await capital.send("astana", "urgent", directives(fresh));
  await until(() => decided(fresh.id, "accepted"));
  await until(async () => {
    const opinions = await capital.query<{ directive: string }>("select directive from opinion");
    return opinions.length === 2 + members.length + others.length + 4;
  });
  await until(async () => (await capital.query("select * from refold_job")).length === 0);
  const { table, batches } = await capital.national();
  const moved = batches
    .slice(before.batches.length)
    .flatMap(({ rows }) => rows.map(({ row }) => (row?.$case === "entry" ? row.value.target : row?.value)));
  expect(moved).toEqual([fresh.target]);
  for (const { target } of [kept, revoked, late, ...members]) {
    const [then, now] = [before.table.entriesOf(target).measure, table.entriesOf(target).measure];
    expect(now?.action).toBe(then?.action);
    expect(now?.directive).toBe(then?.directive);
  }
  expect(table.protectedNumber(bank)?.holder).toBe("Bank");
  expect(digest).toHaveLength(32);
  expect(published).toBeGreaterThanOrEqual(before.batches.length);
  const audit = await capital.query<{ what: string }>("select what from audit where what = 'recovered'");
  expect(audit).toHaveLength(1);
});

/** How many messages of NATIONAL are no seals, which come by themselves. */
const said = async () => (await capital.national()).batches.filter(({ seal }) => seal === undefined).length;

/** The heartbeat of a region that has so many messages of NATIONAL. @param nationalSeal that it shows */
function heartbeatOf(region: string, last: number, nationalSeal?: Seal): NonNullable<Event["body"]> {
  const stream = { stream: "NATIONAL", epoch: firstEpoch, state: "copying", first: 1, last, hubLast: last };
  const streams = [{ ...stream, bytes: 0, bytesMax: 1 }];
  const of = { region, regionEpoch: firstEpoch, atMs: Date.now() };
  const value = RegionHeartbeat.fromPartial({ ...of, streams, ...(nationalSeal && { nationalSeal }) });
  return { $case: "heartbeat", value };
}

test("a capital and a hub that are both older than the regions write nothing, and a person is called", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(async () => (await said()) === 1);
  // One region alone may lie.
  await capital.sendAs("replication", "astana", "events", heartbeatOf("astana", 7));
  await capital.sendAs("replication", "almaty", "events", heartbeatOf("almaty", 1));
  await capital.send("astana", "urgent", directives(directiveOf("astana", 2)));
  await until(async () => (await said()) === 2);
  // As it runs, and at each start.
  await capital.sendAs("replication", "almaty", "events", heartbeatOf("almaty", 7));
  await until(() => capital.log().includes("PostgreSQL and the hub end at"));
  await capital.coordination.stop("SIGKILL");
  await capital.send("astana", "urgent", directives(directiveOf("astana", 3)));
  capital.coordination.start();
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  const metadata = await capital.token("central-prosecutor");
  const status = await call(capital.client.getStatus.bind(capital.client), {}, { metadata });
  expect(status.leader).toBe(false);
  expect(status.alarms[0]?.detail).toContain("almaty, astana have NATIONAL up to message 7");
  for (const site of ["capital", "region almaty", "region astana"])
    expect(status.alarms[0]?.detail).toContain(`\`npx qalqan rebuild ${site}\``);
  expect(await said()).toBe(2);
});

/** A seal over one message of NATIONAL. */
function sealOver(key: SealingKey, last: number): Seal {
  const of = { stream: "national", site: "capital", epoch: firstEpoch };
  const end = { last: last - 1, hash: Buffer.alloc(32, 7), keyId: key.keyId };
  return sealMessage(nextSeal(of, end, [Buffer.alloc(32, 1)], key, Date.now()));
}

test("one region alone is believed where it shows the capital's own seal, and whatever else it says stops nothing", async () => {
  await capital.coordination.stop("SIGTERM");
  capital.writeRegions(["astana"]);
  await capital.query("delete from region_state where region = 'almaty'");
  const former = capital.keys.of("capital");
  capital.keys.rotate("capital");
  capital.coordination.start();
  await capital.ready();
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(() => decided(directiveOf("astana", 1).id, "accepted"));
  await until(async () => (await capital.query("select * from national_seal")).length > 0);
  const far = 1_000_000;
  const lies = [
    undefined,
    sealOver(capital.keys.of("astana"), far),
    sealOver(capital.keys.of("capital"), 2),
    sealOver(former, far),
  ];
  for (const [index, lie] of lies.entries()) {
    await capital.sendAs("replication", "astana", "events", heartbeatOf("astana", far, lie));
    const next = directiveOf("astana", index + 2);
    await capital.send("astana", "urgent", directives(next));
    await until(() => decided(next.id, "accepted"));
  }
  await capital.coordination.killAndRestart();
  await capital.ready();
  // Nor does what cannot be read at all keep it from starting.
  await capital.sendBytes("astana", "events", "heartbeat", Buffer.from("no event"), "replication");
  await capital.coordination.killAndRestart();
  await capital.ready();
  const shown = sealOver(capital.keys.of("capital"), far);
  await capital.sendAs("replication", "astana", "events", heartbeatOf("astana", far, shown));
  await until(() => capital.log().includes("PostgreSQL and the hub end at"));
  await capital.coordination.stop("SIGKILL");
  // At a start too, for whatever comes next.
  await capital.send("astana", "urgent", directives(directiveOf("astana", 9)));
  capital.coordination.start();
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  expect(await decided(directiveOf("astana", 9).id, "accepted")).toBe(false);
  // Until its key is revoked: then what it has said counts for nothing.
  capital.writeRegions(["astana"], { astana: [{ atMs: Date.now(), change: "revoked" }] });
  await until(() => decided(directiveOf("astana", 9).id, "accepted"));
});

test("a capital that was put back beside a hub where nobody was heard yet hears the regions before it writes", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(async () => (await said()) === 1);
  await capital.coordination.stop("SIGTERM");
  // As after a restore: PostgreSQL is in another timeline than the capital has led in.
  await capital.query("update national_state set timeline = 'FFFFFFFF'");
  await capital.send("astana", "urgent", directives(directiveOf("astana", 2)));
  capital.coordination.start();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  for (const region of ["astana", "almaty"])
    await capital.sendAs("replication", region, "events", heartbeatOf(region, 7));
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  expect(await said()).toBe(1);
});

test("a capital that was put back beside a hub that lost everything makes the regions' lanes, and hears them before it writes", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(async () => (await said()) === 1);
  await capital.coordination.stop("SIGTERM");
  await capital.query("update national_state set timeline = 'FFFFFFFF'");
  await capital.hub.stop("SIGKILL");
  rmSync(join(capital.folder.root, "jetstream"), { recursive: true });
  capital.hub.start();
  capital.coordination.start();
  for (const region of ["astana", "almaty"]) {
    const bytes = Event.encode({ outbox: 1, atMs: 1, body: heartbeatOf(region, 7) }).finish();
    const subject = hubSubject.up("events", region, firstEpoch, "replication.heartbeat");
    await until(() => appendAt(capital.nats, subject, 1, bytes).then(() => true));
  }
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  expect((await capital.national()).batches).toEqual([]);
});

test("where the hub goes on with another history, nothing is written and a person is called", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(async () => (await said()) === 1);
  await capital.coordination.stop("SIGTERM");
  const next = (await lastOf(capital.nats, hubStream.national(firstEpoch))) + 1;
  const alien = NationalBatch.fromPartial({ sequence: next, atMs: 1, digestAfter: Buffer.alloc(32, 7) });
  await appendPatiently(
    capital.nats,
    hubSubject.national(firstEpoch),
    next,
    NationalBatch.encode(alien).finish(),
  );
  await capital.send("astana", "urgent", directives(directiveOf("astana", 2)));
  capital.coordination.start();
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  const metadata = await capital.token("central-prosecutor");
  const status = await call(capital.client.getStatus.bind(capital.client), {}, { metadata });
  expect(status.leader).toBe(false);
  expect(status.alarms).toMatchObject([{ code: "waits-for-person", subject: "NATIONAL_1" }]);
  expect(status.alarms[0]?.detail).toContain("npx qalqan restore");
  const rows = await capital.query("select * from opinion");
  expect(rows).toHaveLength(1);
});
