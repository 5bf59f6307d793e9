import { afterEach, beforeEach, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, hubStream, hubSubject, lanes, regionStream } from "#proto/names.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { Seal } from "#proto/qalqan/events/v1/sync.ts";
import {
  appendPatiently,
  HubAndRegion,
  lastOf,
  readAll,
  readiness,
  until,
  type Restartable,
} from "./servers.ts";

const epoch = firstEpoch;
let nation: HubAndRegion;
let coordination: NatsConnection;
let centre: NatsConnection;
let replication: Restartable;

beforeEach(async () => {
  nation = await HubAndRegion.start();
  coordination = await nation.connect("coordination");
  centre = await nation.connect("centre");
  replication = await nation.service("replication");
});

afterEach(async () => {
  await nation.stop();
});

async function startReplication(): Promise<void> {
  await nation.createHubStreams(coordination);
  replication.start();
  await until(async () => (await readiness(nation.ports.address("replication/http"))).ready);
}

const batch = (sequence: number): Uint8Array =>
  NationalBatch.encode(NationalBatch.fromPartial({ sequence, atMs: sequence })).finish();

/** Appends to the hub as coordination does: tries until it is there. */
async function publish(subject: string, sequence: number): Promise<void> {
  const stream = subject.startsWith("for.")
    ? hubStream.forRegion(nation.region, epoch)
    : hubStream.national(epoch);
  await until(async () => {
    try {
      await appendAt(coordination, subject, sequence, batch(sequence));
      return true;
    } catch {
      return (await lastOf(coordination, stream)) >= sequence;
    }
  });
}

const national = hubSubject.national(epoch);

async function sameAs(up: string, here: string): Promise<boolean> {
  const [there, ours] = await Promise.all([readAll(coordination, up), readAll(centre, here)]);
  return there.length === ours.length && ours.every((message, index) => equal(message, there[index]));
}

function equal(
  one: { sequence: number; data: Uint8Array },
  other?: { sequence: number; data: Uint8Array },
): boolean {
  return other?.sequence === one.sequence && Buffer.compare(one.data, other.data) === 0;
}

test("both lanes and both copies survive kills of hub, region and replication and cuts, each message once and in order", async () => {
  await startReplication();
  const stop = new AbortController();
  const written = { urgent: 0, events: 0 };
  const writers = lanes.map(async (lane) => {
    const producer = await LaneProducer.open(centre, lane, epoch, "centre", AbortSignal.timeout(120_000));
    while (!stop.signal.aborted) {
      const value = {
        batch: `${lane}-${written[lane] + 1}`,
        person: "p",
        role: "operator",
        reason: "",
        atMs: 1,
      };
      await producer.append(
        { atMs: 1, body: { $case: "batchRevocation", value } },
        AbortSignal.timeout(120_000),
      );
      written[lane] += 1;
    }
  });
  let published = 0;
  const publisher = (async () => {
    while (!stop.signal.aborted) {
      published += 1;
      await publish(national, published);
      await publish(hubSubject.forRegion(nation.region, epoch), published);
    }
  })();
  const faults = [
    () => nation.hub.killAndRestart(),
    () => replication.killAndRestart(),
    () => nation.regional.killAndRestart(),
    async () => {
      await nation.line.cut();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await nation.line.heal();
    },
    () => replication.killAndRestart(),
    async () => {
      await Promise.all([
        nation.hub.killAndRestart(),
        replication.killAndRestart(),
        nation.regional.killAndRestart(),
      ]);
    },
  ];
  for (const fault of faults) {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await fault();
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  stop.abort();
  await Promise.all([...writers, publisher]);

  for (const lane of lanes) {
    const here = regionStream.lane(lane, epoch);
    const ofCentre = (await readAll(centre, here))
      .map(({ data }) => Event.decode(data))
      .filter(({ body }) => body?.$case === "batchRevocation");
    expect(ofCentre.map(({ outbox }) => outbox)).toEqual(ofCentre.map((_, index) => index + 1));
    expect(ofCentre).toHaveLength(written[lane]);
    // Heartbeats go on while both are read, so equality is waited for.
    await until(() => sameAs(hubStream.up(lane, nation.region, epoch), here));
  }
  await until(() => sameAs(hubStream.national(epoch), regionStream.national(epoch)));
  await until(() => sameAs(hubStream.forRegion(nation.region, epoch), regionStream.forRegion(epoch)));
  expect(await lastOf(centre, regionStream.national(epoch))).toBe(published);
});

test("what was published while the line was cut is fetched although nothing live follows", async () => {
  await startReplication();
  await publish(national, 1);
  await until(async () => (await lastOf(centre, regionStream.national(epoch))) === 1);
  await nation.line.cut();
  for (let sequence = 2; sequence <= 30; sequence += 1) await publish(national, sequence);
  await nation.line.heal();
  await until(() => sameAs(hubStream.national(epoch), regionStream.national(epoch)));
  expect(await lastOf(centre, regionStream.national(epoch))).toBe(30);
});

test("a region's copy of FOR begins where the hub begins, with the hub's sequences", async () => {
  await nation.createHubStreams(coordination);
  const subject = hubSubject.forRegion(nation.region, epoch);
  for (let sequence = 1; sequence <= 20; sequence += 1) await publish(subject, sequence);
  const manager = await coordination.jetstreamManager();
  await manager.streams.purge(hubStream.forRegion(nation.region, epoch), { seq: 11 });
  await startReplication();
  await until(async () => (await lastOf(centre, regionStream.forRegion(epoch))) === 20);
  expect((await readAll(centre, regionStream.forRegion(epoch))).map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 10 }, (_, index) => 11 + index),
  );
  await publish(subject, 21);
  await until(async () => (await lastOf(centre, regionStream.forRegion(epoch))) === 21);
});

test("a region shows in its heartbeat the capital's newest seal that its copy holds", async () => {
  await startReplication();
  const seal = Seal.fromPartial({
    stream: "national",
    site: "capital",
    epoch,
    first: 1,
    last: 2,
    keyId: "key",
  });
  for (const sequence of [1, 2]) await publish(national, sequence);
  const sealed = NationalBatch.encode(NationalBatch.fromPartial({ sequence: 3, atMs: 3, seal })).finish();
  await appendPatiently(coordination, national, 3, sealed);
  await publish(national, 4);
  await until(async () => {
    const events = await readAll(centre, regionStream.lane("events", epoch));
    const { body } = Event.decode(events.at(-1)?.data ?? new Uint8Array());
    return body?.$case === "heartbeat" && body.value.nationalSeal?.last === 2;
  });
});

test("a region is ready and heard in its own lane while the capital is away", async () => {
  await nation.line.cut();
  replication.start();
  await until(async () => (await readiness(nation.ports.address("replication/http"))).ready);
  await until(async () => {
    const events = await readAll(centre, regionStream.lane("events", epoch));
    return events.some(({ data }) => Event.decode(data).body?.$case === "heartbeat");
  });
  const { why } = await readiness(nation.ports.address("replication/http"));
  expect(why).toContain("down national is away");
});
