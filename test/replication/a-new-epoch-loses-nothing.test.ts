import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureStream, hubStreamsOf } from "#platform/streams.ts";
import { firstEpoch, hubStream, hubSubject, lanes, regionStream } from "#proto/names.ts";
import { ReplicatedRegion } from "./a-region-and-hub.ts";
import { appendPatiently, lastOf, readAll, until } from "./servers.ts";

const first = firstEpoch;
const second = firstEpoch + 1;
let region: ReplicatedRegion;

beforeEach(async () => {
  region = await ReplicatedRegion.start();
});

afterEach(async () => {
  await region.servers.stop();
});

test("a region that lost its store wholly gets back what centre had said, and goes on in a new epoch, with an alarm", async () => {
  await region.say(5);
  await region.untilHeard();
  await region.servers.loseRegionStore();
  await region.untilEpoch(second);
  await region.say(3);
  await region.untilHeard();
  await region.untilSame(second);
  for (const lane of lanes) {
    expect(await region.inRegion(lane, second)).toEqual(region.said[lane]);
    expect(await region.bodies(lane, second, "epochOpened")).toMatchObject([
      { value: { lane, epoch: second, previousEpoch: first, why: "store-lost" } },
    ]);
  }
  await until(async () => (await region.alarms(second)).some(({ code }) => code === "epoch-opened"));
  await until(async () => (await region.bodies("events", second, "heartbeat")).length > 0);
  const [heartbeat] = await region.bodies("events", second, "heartbeat");
  expect(heartbeat).toMatchObject({ value: { regionEpoch: second } });
});

test("a store restored from an older copy is filled up from the hub while nobody has written, in its epoch", async () => {
  await region.say(4);
  await region.untilHeard();
  await region.replication.stop("SIGTERM");
  const restore = await region.servers.keepStore("region");
  region.replication.start();
  await region.say(40);
  await region.untilHeard();
  await region.replication.stop("SIGTERM");
  await restore();
  await until(async () => (await region.inRegion("events", first)).length === 4);
  region.replication.start();
  await region.untilSame(first);
  await region.say(2);
  await region.untilHeard();
  await region.untilSame(first);
  for (const lane of lanes) expect(await region.inRegion(lane, first)).toEqual(region.said[lane]);
  await region.untilEpoch(first);
});

test("a store restored from an older copy, written to since, goes on in a new epoch with what both ends had", async () => {
  await region.say(4);
  await region.untilHeard();
  const restore = await region.servers.keepStore("region");
  await region.say(3);
  await region.untilHeard();
  await region.replication.stop("SIGKILL");
  await restore();
  await region.say(5, first);
  region.replication.start();
  await region.untilEpoch(second);
  await region.untilHeard();
  await region.untilSame(second);
  for (const lane of lanes) {
    // What both had in common stands in the first epoch: the hub's part comes first, then the region's.
    expect(await region.inRegion(lane, second)).toEqual(region.said[lane].slice(4));
    const opened = await region.bodies(lane, second, "epochOpened");
    expect(opened).toMatchObject([{ value: { why: "diverged" } }]);
  }
});

test("ends that differ at one sequence, and are equal again at the cursor, are found", async () => {
  await region.say(20);
  await region.untilHeard();
  await region.untilSame(first);
  await region.replication.stop("SIGTERM");
  const line = await region.servers.connect("line");
  const up = hubStream.up("urgent", region.servers.region, first);
  const messages = await readAll(region.coordination, up);
  const manager = await region.coordination.jetstreamManager();
  await manager.streams.delete(up);
  for (const stream of hubStreamsOf(region.servers.region, [first], first, 1))
    await ensureStream(manager, stream);
  for (const { sequence, data } of messages) {
    const bytes = sequence === 7 ? Uint8Array.of(8, 7) : data;
    const subject = hubSubject.up("urgent", region.servers.region, first, "centre.batchRevocation");
    await appendPatiently(line, subject, sequence, bytes);
  }
  region.replication.start();
  await region.untilEpoch(second);
  await region.untilHeard();
  const [opened] = await region.bodies("urgent", second, "epochOpened");
  expect(opened).toMatchObject({ value: { common: 6, why: "diverged" } });
});

test("killed at whatever moment while it opens an epoch, replication opens one, and loses nothing", async () => {
  await region.say(30);
  await region.untilHeard();
  const restore = await region.servers.keepStore("region");
  await region.say(30);
  await region.untilHeard();
  await region.replication.stop("SIGKILL");
  await restore();
  await region.say(30, first);
  const output = () => region.servers.log("replication");
  for (const waitMs of [0, 20, 40, 60, 90, 120, 160]) {
    const before = output().length;
    region.replication.start();
    await until(() => output().slice(before).includes("lane-starting"));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    await region.replication.stop("SIGKILL");
  }
  region.replication.start();
  await region.untilEpoch(second);
  await region.untilHeard();
  await region.untilSame(second);
  for (const lane of lanes) {
    expect(await region.bodies(lane, second, "epochOpened")).toHaveLength(1);
    const heard = await region.heardAtHub(lane);
    expect([...heard.keys()].toSorted()).toEqual(region.said[lane].toSorted());
    expect(Math.max(...heard.values())).toBeLessThanOrEqual(2);
  }
  const manager = await region.centre.jetstreamManager({ checkAPI: false });
  expect(await manager.streams.names().next()).not.toContain(regionStream.lane("urgent", second + 1));
});

test("a producer that has not heard of the new epoch loses nothing, and feeding is not begun anew", async () => {
  await region.say(3);
  await region.untilHeard();
  await region.servers.loseRegionStore();
  await region.untilEpoch(second);
  await region.say(4, first);
  await region.untilHeard();
  await region.replication.killAndRestart();
  await region.say(2, first);
  await region.say(1, second);
  await region.untilHeard();
  await region.untilSame(second);
  for (const lane of lanes) {
    const there = await region.inRegion(lane, second);
    expect(there.toSorted()).toEqual(region.said[lane].toSorted());
  }
});

test("a hub restored from an older copy is fed again by the region", async () => {
  await region.say(4);
  await region.untilHeard();
  const restore = await region.servers.keepStore("hub");
  await region.say(40);
  await region.untilHeard();
  await restore();
  await region.untilHeard();
  await region.say(2);
  await region.untilHeard();
  await region.untilSame(first);
  await region.untilEpoch(first);
});

test("a hub that is behind the region's copy of NATIONAL is waited for, and then goes on", async () => {
  const copy = regionStream.national(first);
  await region.publish(5);
  const restore = await region.servers.keepStore("hub");
  await until(async () => (await lastOf(region.coordination, hubStream.national(first))) === 5);
  await region.publish(5);
  await until(async () => (await lastOf(region.centre, copy)) === 10);
  await restore();
  await until(async () =>
    (await region.readiness()).why.includes("down national is behind: the hub ends at 5"),
  );
  expect(await lastOf(region.centre, copy)).toBe(10);
  // Coordination fills it up with the same bytes, and goes on.
  await region.publish(8);
  await until(async () => (await lastOf(region.centre, copy)) === 13);
  await until(async () => !(await region.readiness()).why.includes("down national"));
});
