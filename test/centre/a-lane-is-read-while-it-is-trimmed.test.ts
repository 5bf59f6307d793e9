import { afterAll, beforeAll, expect, test } from "vitest";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { HubAndRegion } from "#test/replication/servers.ts";
import { LaneHistory } from "../../services/centre/lane-history.ts";
import { createStreams } from "./region-streams.ts";

const events = 1_200;
let servers: HubAndRegion;
let centre: NatsConnection;
let line: NatsConnection;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  [centre, line] = [await servers.connect("centre"), await servers.connect("replication")];
  await createStreams(line);
  const limit = AbortSignal.timeout(120_000);
  const producer = await LaneProducer.open(centre, "events", firstEpoch, "centre", limit);
  const other = await LaneProducer.open(centre, "events", firstEpoch, "centre-alarms", limit);
  const numbered = Array.from({ length: events }, (_, index) => {
    const outbox = index + 1;
    return {
      type: "alarms",
      outbox,
      bytes: Event.encode({ outbox, atMs: outbox, body: undefined }).finish(),
    };
  });
  await producer.appendAll(numbered.slice(0, 700), limit);
  await other.append({ atMs: 1, body: undefined }, limit);
  await producer.appendAll(numbered.slice(700), limit);
});

afterAll(() => servers.stop());

test("a lane gives every event of its centre, however many, and nobody else's", async () => {
  const history = await LaneHistory.open(centre, "events", firstEpoch);
  const entries = await history.from(0, 0, AbortSignal.timeout(120_000));
  expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: events }, (_, at) => at + 1));
  expect(entries.at(-1)?.sequence).toBe(events + 1);
  expect(await history.from(firstEpoch, 1_000, AbortSignal.timeout(120_000))).toHaveLength(
    events + 1 - 1_000,
  );
});

test("what is trimmed while a lane is read keeps nobody waiting", async () => {
  const manager = await line.jetstreamManager({ checkAPI: false });
  let asked = 0;
  /** Everything is trimmed once the lane has told of its first events. */
  const trimmed = new Proxy(centre, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...given: readonly unknown[]): unknown => {
        const ask = () => Reflect.apply(value, target, given) as unknown;
        if (name !== "publish" || !String(given[0]).startsWith("$JS.API.DIRECT.GET")) return ask();
        asked += 1;
        if (asked !== 3) return ask();
        void manager.streams.purge(regionStream.lane("events", firstEpoch)).then(ask);
        return undefined;
      };
    },
  });
  const history = await LaneHistory.open(trimmed, "events", firstEpoch);
  const entries = await history.from(0, 0, AbortSignal.timeout(120_000));
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(entries.length).toBeGreaterThan(0);
  expect(entries.length).toBeLessThan(events);
});
