import { afterEach, beforeEach, expect, test } from "vitest";
import { sealEveryMs, SealingKey } from "#domain/seal.ts";
import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, lanes, type Lane } from "#proto/names.ts";
import { LaneStates } from "../../services/replication/lane-states.ts";
import { OwnEvents } from "../../services/replication/own-events.ts";
import { LaneSealer } from "../../services/replication/sealer.ts";
import { verifyLane } from "./sealed-lanes.ts";
import { HubAndRegion, testLog, until, type Restartable } from "./servers.ts";

let nation: HubAndRegion;
let centre: NatsConnection;

beforeEach(async () => {
  nation = await HubAndRegion.start();
  centre = await nation.connect("centre");
});
afterEach(() => nation.stop());

async function startReplication(): Promise<Restartable> {
  // With a hub to compare with, a start need not wait for it before it seals.
  await nation.createHubStreams(await nation.connect("coordination"));
  const replication = await nation.service("replication");
  replication.start();
  return replication;
}

const openProducer = (lane: Lane) =>
  LaneProducer.open(centre, lane, firstEpoch, "centre", AbortSignal.timeout(120_000));

async function write(producer: LaneProducer, batch: string): Promise<void> {
  const value = { batch, person: "p", role: "operator", reason: "", atMs: 1 };
  await producer.append({ atMs: 1, body: { $case: "batchRevocation", value } }, AbortSignal.timeout(120_000));
}

const isSealed = async (lane: Lane) =>
  !(await verifyLane(centre, nation, lane, firstEpoch)).unsealed.includes("batchRevocation");

test("through kills of replication and of the region's server each lane has one chain over every message", async () => {
  const replication = await startReplication();
  const stop = new AbortController();
  const writers = lanes.map(async (lane) => {
    const producer = await openProducer(lane);
    for (let count = 0; !stop.signal.aborted; count += 1) {
      await write(producer, `${lane}-${count}`);
      await pause(5, stop.signal);
    }
  });
  for (let round = 1; round <= 4; round += 1) {
    await until(
      async () => (await verifyLane(centre, nation, "events", firstEpoch)).seals.length >= 2 * round,
    );
    await pause(137 * round, stop.signal);
    if (round === 3) await nation.regional.killAndRestart();
    else await replication.killAndRestart();
  }
  stop.abort();
  await Promise.all(writers);
  for (const lane of lanes) {
    await until(() => isSealed(lane));
    const { seals, sealed, last } = await verifyLane(centre, nation, lane, firstEpoch);
    expect(seals.length).toBeGreaterThan(5);
    expect(sealed).toBeLessThan(last);
  }
});

test("a lane in which nothing happens but seals and heartbeats gets no more seals", async () => {
  await startReplication();
  const producer = await openProducer("events");
  await write(producer, "one");
  await until(() => isSealed("events"));
  const before = await verifyLane(centre, nation, "events", firstEpoch);
  // There is one in five seconds.
  await until(async () =>
    (await verifyLane(centre, nation, "events", firstEpoch)).unsealed.includes("heartbeat"),
  );
  await pause(2 * sealEveryMs, AbortSignal.timeout(120_000));
  const after = await verifyLane(centre, nation, "events", firstEpoch);
  expect(after.seals).toHaveLength(before.seals.length);
  expect(after.unsealed).toContain("heartbeat");
});

test("what was written while replication was away is sealed in portions of 1,000", async () => {
  const replication = await startReplication();
  const producer = await openProducer("urgent");
  await replication.stop("SIGKILL");
  for (let count = 0; count < 2_300; count += 1) await write(producer, `urgent-${count}`);
  replication.start();
  await until(() => isSealed("urgent"));
  const { seals } = await verifyLane(centre, nation, "urgent", firstEpoch);
  const sizes = seals.map(({ first, last }) => last - first + 1);
  expect(Math.max(...sizes)).toBe(1_000);
  // Of a start that takes long the first may have come before a thousand were read.
  expect(sizes.length).toBeLessThanOrEqual(4);
});

test("a new epoch begins a chain of its own, with no seal before it", async () => {
  const own = await nation.connect("replication");
  const manager = await own.jetstreamManager({ checkAPI: false });
  for (const epoch of [1, 2])
    for (const stream of regionStreams(epoch, firstEpoch)) await ensureStream(manager, stream);
  const stop = new AbortController();
  const key = new SealingKey(nation.signingKeyPem);
  const sealing = [1, 2].map(async (epoch) => {
    const signal = stop.signal;
    const producer = await LaneProducer.open(own, "urgent", epoch, "replication", signal);
    const of = { region: nation.region, lane: "urgent", epoch } as const;
    await new LaneSealer(own, new OwnEvents(producer), key, of).run(new LaneStates(testLog), signal);
  });
  for (const epoch of [1, 2]) {
    const producer = await LaneProducer.open(centre, "urgent", epoch, "centre", stop.signal);
    await write(producer, `epoch-${epoch}`);
    await until(async () => (await verifyLane(centre, nation, "urgent", epoch)).seals.length === 1);
    const { seals } = await verifyLane(centre, nation, "urgent", epoch);
    expect(seals[0]).toMatchObject({ epoch, first: 1, last: 1, previous: Buffer.alloc(32) });
  }
  stop.abort();
  await Promise.all(sealing);
});
