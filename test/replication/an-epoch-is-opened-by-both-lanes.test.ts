import { afterAll, beforeAll, expect, test } from "vitest";
import { openedEpoch, watchOpenedEpoch } from "#platform/epochs.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { ensureStream, laneStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, lanes, regionStream, regionSubject, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { EpochOpened } from "#proto/qalqan/events/v1/sync.ts";
import { appendPatiently, HubAndRegion, lastOf, until } from "./servers.ts";

let servers: HubAndRegion;
let replication: NatsConnection;
let centre: NatsConnection;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  replication = await servers.connect("replication");
  centre = await servers.connect("centre");
  await until(async () => {
    const manager = await replication.jetstreamManager({ checkAPI: false });
    for (const each of regionStreams(firstEpoch, firstEpoch)) await ensureStream(manager, each);
    return true;
  });
});

afterAll(async () => servers.stop());

async function create(lane: Lane, epoch: number): Promise<void> {
  await ensureStream(await replication.jetstreamManager({ checkAPI: false }), laneStream(lane, epoch));
}

async function open(lane: Lane, epoch: number): Promise<void> {
  const value = EpochOpened.create({ lane, epoch, producers: [{ producer: "centre", outbox: 41 }] });
  const bytes = Event.encode(Event.create({ atMs: 1, body: { $case: "epochOpened", value } })).finish();
  const next = (await lastOf(replication, regionStream.lane(lane, epoch))) + 1;
  await appendPatiently(
    replication,
    regionSubject.lane(lane, epoch, "replication", "epochOpened"),
    next,
    bytes,
  );
}

test("an epoch counts once both lanes say that it is opened, and whoever watches hears of it", async () => {
  const stop = new AbortController();
  const heard: number[] = [];
  const watching = (async () => {
    for await (const epoch of watchOpenedEpoch(centre, stop.signal)) heard.push(epoch);
  })();
  await until(() => heard.length === 1);
  for (const lane of lanes) await create(lane, 2);
  await open("events", 2);
  expect(await openedEpoch(centre)).toBe(firstEpoch);
  await open("urgent", 2);
  expect(await openedEpoch(centre)).toBe(2);
  await until(() => heard.length === 2);
  stop.abort();
  await watching;
  expect(heard).toEqual([firstEpoch, 2]);
});

test("a producer goes on in the new epoch after the number that it had in the one before", async () => {
  const signal = AbortSignal.timeout(120_000);
  const producer = await LaneProducer.open(centre, "events", 2, "centre", signal);
  expect(producer.lastOutbox).toBe(41);
  const value = { revision: 1, stopped: true, person: "p", carrier: "" };
  await producer.append({ atMs: 1, body: { $case: "regionStop", value } }, signal);
  expect((await LaneProducer.open(centre, "events", 2, "centre", signal)).lastOutbox).toBe(42);
  expect((await LaneProducer.open(centre, "events", firstEpoch, "centre", signal)).lastOutbox).toBe(0);
});

test("an epoch that was opened stays so when its beginning is trimmed", async () => {
  const manager = await replication.jetstreamManager({ checkAPI: false });
  await manager.streams.purge(regionStream.lane("events", 2), { seq: 2 });
  expect(await openedEpoch(centre)).toBe(2);
});
