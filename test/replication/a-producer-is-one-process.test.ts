import { afterAll, beforeAll, expect, test } from "vitest";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer, ProducerReplaced } from "#platform/producer.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { HubAndRegion, readAll, until } from "./servers.ts";

let servers: HubAndRegion;
let line: NatsConnection;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  line = await servers.connect("replication");
  await until(async () => {
    const manager = await line.jetstreamManager({ checkAPI: false });
    for (const each of regionStreams(firstEpoch, firstEpoch)) await ensureStream(manager, each);
    return true;
  });
});

afterAll(async () => servers.stop());

const stopped = (person: string) => ({
  atMs: 1,
  body: {
    $case: "regionStop" as const,
    value: { revision: 1, stopped: true, person, carrier: "" },
  },
});

test("of two processes under one name the later one ends: its event is not taken for the other's", async () => {
  const signal = AbortSignal.timeout(120_000);
  const open = async () =>
    LaneProducer.open(await servers.connect("centre"), "urgent", firstEpoch, "centre", signal);
  const [first, second] = [await open(), await open()];
  await first.append(stopped("first"), signal);
  await expect(second.append(stopped("second"), signal)).rejects.toThrow(ProducerReplaced);
  const events = (await readAll(line, regionStream.lane("urgent", firstEpoch))).map(({ data }) =>
    Event.decode(data),
  );
  expect(events.map(({ body }) => body)).toMatchObject([{ value: { person: "first" } }]);
});

test("the same bytes by both, as two centres with one outbox, are there once", async () => {
  const signal = AbortSignal.timeout(120_000);
  const open = async () =>
    LaneProducer.open(await servers.connect("centre"), "events", firstEpoch, "centre", signal);
  const [first, second] = [await open(), await open()];
  expect(await first.append(stopped("same"), signal)).toBe(1);
  expect(await second.append(stopped("same"), signal)).toBe(1);
  expect(await readAll(line, regionStream.lane("events", firstEpoch))).toHaveLength(1);
  expect(second.trouble).toBe("");
});

test("events that wait go in batches: each is there once and in order, whatever is killed meanwhile", async () => {
  const signal = AbortSignal.timeout(120_000);
  const centre = await servers.connect("centre");
  const producer = await LaneProducer.open(centre, "urgent", firstEpoch, "centre", signal);
  const from = producer.lastOutbox + 1;
  const events = Array.from({ length: 5_000 }, (_, index) => {
    const outbox = from + index;
    return { type: "regionStop", outbox, bytes: Event.encode({ ...stopped("batch"), outbox }).finish() };
  });
  const storing = producer.appendAll(events, signal);
  const faults = async () => {
    for (const waitMs of [100, 300]) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await servers.regional.killAndRestart();
    }
  };
  const [sequences] = await Promise.all([storing, faults()]);
  // The server may still be starting after the last kill: then nobody answers yet.
  const all = () => readAll(line, regionStream.lane("urgent", firstEpoch));
  await until(async () => (await all()).length >= from - 1 + events.length);
  const stored = (await all()).slice(from - 1);
  expect(stored.map(({ data }) => Event.decode(data).outbox)).toEqual(events.map(({ outbox }) => outbox));
  expect(stored.map(({ sequence }) => sequence)).toEqual(sequences);
  // The next one goes on after them.
  expect(await producer.append(stopped("next"), signal)).toBe((sequences.at(-1) ?? 0) + 1);
});

test("a producer that stood still while its lane became another history goes on after what that has of it", async () => {
  const signal = AbortSignal.timeout(120_000);
  const screening = await servers.connect("screening");
  const open = (name: string) => LaneProducer.open(screening, "events", firstEpoch, name, signal);
  const restarted = async (restart: () => Promise<void>) => {
    const former = screening.info?.server_id;
    await restart();
    await until(() => screening.info !== undefined && screening.info.server_id !== former);
  };
  const producer = await open("screening-0");
  const begin = await servers.keepStore("region");
  await producer.append(stopped("one history"), signal);
  const last = await producer.append(stopped("one history"), signal);
  const putBack = await servers.keepStore("region");
  await restarted(begin);
  // In the other history its first message stands where the second one stands in the one that comes back.
  await (await open("screening-1")).append(stopped("other history"), signal);
  const other = await open("screening-0");
  expect(await other.append(stopped("other history"), signal)).toBe(last);
  await restarted(putBack);
  expect(await other.append(stopped("goes on"), signal)).toBe(last + 1);
  const all = await readAll(screening, regionStream.lane("events", firstEpoch));
  const own = all.filter(({ subject }) => subject.includes(".screening-0."));
  expect(own.map(({ data }) => Event.decode(data).outbox)).toEqual([1, 2, 3]);
});
