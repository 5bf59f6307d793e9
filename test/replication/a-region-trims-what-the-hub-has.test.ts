import { afterEach, beforeEach, expect, test } from "vitest";
import { streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, hubStream, hubSubject, regionStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { appendPatiently, HubAndRegion, lastOf, readAll, readiness, until } from "./servers.ts";
import { storeSnapshot } from "./stored-snapshot.ts";

const kept = 3;
let nation: HubAndRegion;
let coordination: NatsConnection;
let centre: NatsConnection;

beforeEach(async () => {
  nation = await HubAndRegion.start();
  coordination = await nation.connect("coordination");
  centre = await nation.connect("centre");
  await nation.createHubStreams(coordination);
  const limits = { TRIM_EVERY_MS: "200", KEPT_MESSAGES: String(kept), KEPT_HOURS: "0" };
  const replication = await nation.service("replication", limits);
  replication.start();
  await until(async () => (await readiness(nation.ports.address("replication/http"))).ready);
});

afterEach(async () => {
  await nation.stop();
});

const range = (stream: string) => streamRange(centre, `$JS.API.STREAM.INFO.${stream}`);
const urgent = regionStream.lane("urgent", firstEpoch);

test("a lane keeps everything while the capital is away, and then its newest messages alone", async () => {
  await nation.line.cut();
  const producer = await LaneProducer.open(
    centre,
    "urgent",
    firstEpoch,
    "centre",
    AbortSignal.timeout(120_000),
  );
  for (let index = 1; index <= 20; index += 1) {
    const value = { batch: `b-${index}`, person: "p", role: "operator", reason: "", atMs: 1 };
    await producer.append(
      { atMs: 1, body: { $case: "batchRevocation", value } },
      AbortSignal.timeout(120_000),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect((await range(urgent)).first).toBe(1);
  await nation.line.heal();
  const up = hubStream.up("urgent", nation.region, firstEpoch);
  await until(async () => {
    const { first, last } = await range(urgent);
    return first === last - kept + 1 && (await lastOf(coordination, up)) === last;
  });
  const { last } = await range(urgent);
  expect((await readAll(coordination, up)).map(({ sequence }) => sequence).slice(0, last)).toEqual(
    Array.from({ length: last }, (_, index) => index + 1),
  );
});

test("the copy of NATIONAL stays whole without a snapshot, and keeps what comes after it, and its newest, with one", async () => {
  const national = regionStream.national(firstEpoch);
  for (let sequence = 1; sequence <= 20; sequence += 1) {
    const bytes = NationalBatch.encode(NationalBatch.fromPartial({ sequence, atMs: 1 })).finish();
    await appendPatiently(coordination, hubSubject.national(firstEpoch), sequence, bytes);
  }
  await until(async () => (await range(national)).last === 20);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect((await range(national)).first).toBe(1);
  await storeSnapshot(coordination, { sequence: 12, rows: [] });
  await until(async () => (await range(national)).first === 13);
  await storeSnapshot(coordination, { sequence: 20, rows: [] });
  await until(async () => (await range(national)).first === 20 - kept + 1);
});

test("a producer that was quiet until its messages were trimmed goes on after its own number", async () => {
  const limit = AbortSignal.timeout(120_000);
  const open = () => LaneProducer.open(centre, "events", firstEpoch, "centre", limit);
  const body = {
    $case: "batchRevocation",
    value: { batch: "b", person: "p", role: "", reason: "", atMs: 1 },
  } as const;
  const quiet = await open();
  for (let number = 1; number <= 3; number += 1) await quiet.append({ atMs: 1, body }, limit);
  const screening = await nation.connect("screening");
  const busy = await LaneProducer.open(screening, "events", firstEpoch, "screening-0", limit);
  const events = regionStream.lane("events", firstEpoch);
  await until(async () => {
    await busy.append({ atMs: 1, body }, limit);
    return (await readAll(centre, events)).every(({ subject }) => !subject.includes(".centre."));
  }, 30_000);

  const again = await open();
  expect(again.lastOutbox).toBe(3);
  await again.append({ atMs: 1, body }, limit);
  expect(again.lastOutbox).toBe(4);
});
