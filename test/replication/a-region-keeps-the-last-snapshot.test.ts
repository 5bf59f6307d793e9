import { afterEach, beforeEach, expect, test } from "vitest";
import type { NatsConnection } from "#platform/nats.ts";
import { newestSnapshot, snapshotChunks } from "#platform/snapshots.ts";
import { firstEpoch, hubStream, hubSubject, regionStream, regionSubject } from "#proto/names.ts";
import { NationalBatch, type NationalRow } from "#proto/qalqan/events/v1/events.ts";
import {
  appendPatiently,
  HubAndRegion,
  lastOf,
  readAll,
  readiness,
  until,
  type Restartable,
} from "./servers.ts";
import { storeSnapshot } from "./stored-snapshot.ts";

let nation: HubAndRegion;
let coordination: NatsConnection;
let centre: NatsConnection;
let replication: Restartable;

beforeEach(async () => {
  nation = await HubAndRegion.start();
  coordination = await nation.connect("coordination");
  centre = await nation.connect("centre");
  replication = await nation.service("replication");
  await nation.createHubStreams(coordination);
});

afterEach(async () => {
  await nation.stop();
});

const national = regionStream.national(firstEpoch);
const snapshot = regionStream.snapshot(firstEpoch);

async function publish(from: number, to: number): Promise<void> {
  for (let sequence = from; sequence <= to; sequence += 1) {
    const bytes = NationalBatch.encode(NationalBatch.fromPartial({ sequence, atMs: sequence })).finish();
    await appendPatiently(coordination, hubSubject.national(firstEpoch), sequence, bytes);
  }
}

async function purge(stream: string, before: number): Promise<void> {
  const manager = await coordination.jetstreamManager();
  await manager.streams.purge(stream, { seq: before });
}

const rows = (numbers: number): NationalRow[] =>
  Array.from({ length: numbers }, (_, index) => ({
    row: {
      $case: "protectedNumber",
      value: { number: `+7727200${index}`, originatesFrom: ["a"], holder: "bank", revision: 1 },
    },
  }));

/** The sequence of the region's complete snapshot, all of whose chunks can be read; 0: there is none. */
async function ownSnapshot(): Promise<number> {
  const get = `$JS.API.DIRECT.GET.${snapshot}`;
  const found = await newestSnapshot(centre, get, regionSubject.snapshotManifest(firstEpoch));
  if (found === undefined) return 0;
  let read = 0;
  for await (const chunk of snapshotChunks(centre, get, found, () => true)) read += chunk.rows.length;
  expect(read).toBe(found.manifest.rows);
  return found.manifest.sequence;
}

async function start(): Promise<void> {
  replication.start();
  await until(async () => (await readiness(nation.ports.address("replication/http"))).ready);
}

test("a new region has the snapshot, and NATIONAL from the message after it, with the hub's sequences", async () => {
  await publish(1, 20);
  await storeSnapshot(coordination, { sequence: 15, rows: rows(9) });
  await purge(hubStream.national(firstEpoch), 11);
  await start();
  await until(async () => (await lastOf(centre, national)) === 20);
  expect((await readAll(centre, national)).map(({ sequence }) => sequence)).toEqual([16, 17, 18, 19, 20]);
  expect(await ownSnapshot()).toBe(15);
  const bytesOf = async (connection: NatsConnection, stream: string) =>
    (await readAll(connection, stream)).map(({ sequence, data }) => [
      sequence,
      Buffer.from(data).toString("hex"),
    ]);
  const atHub = await bytesOf(coordination, hubStream.snapshot(firstEpoch));
  expect(await bytesOf(centre, snapshot)).toEqual(atHub);
  await publish(21, 21);
  await until(async () => (await lastOf(centre, national)) === 21);
});

test("a region that was away for longer than NATIONAL reaches back goes on from a newer snapshot", async () => {
  await start();
  await publish(1, 5);
  await until(async () => (await lastOf(centre, national)) === 5);
  await nation.line.cut();
  await publish(6, 30);
  await storeSnapshot(coordination, { sequence: 25, rows: rows(3) });
  await purge(hubStream.national(firstEpoch), 21);
  await nation.line.heal();
  await until(async () => (await lastOf(centre, national)) === 30);
  expect((await readAll(centre, national)).map(({ sequence }) => sequence)).toEqual([26, 27, 28, 29, 30]);
  expect(await ownSnapshot()).toBe(25);
});

test("a snapshot without a manifest is none, and the one before it stays until a newer one is whole", async () => {
  await start();
  await publish(1, 3);
  await storeSnapshot(coordination, { sequence: 2, rows: rows(4) });
  await until(async () => (await ownSnapshot()) === 2);
  await storeSnapshot(coordination, { sequence: 3, rows: rows(4) }, { withManifest: false });
  await storeSnapshot(coordination, { sequence: 3, rows: rows(6) });
  await until(async () => (await ownSnapshot()) === 3);
  // What the region no longer needs is gone.
  await until(async () => (await readAll(centre, snapshot)).length === 5);
});

test("where region and hub do not agree, the region's copy is made anew", async () => {
  await start();
  await publish(1, 3);
  await storeSnapshot(coordination, { sequence: 2, rows: rows(8) });
  await until(async () => (await ownSnapshot()) === 2);
  await replication.stop("SIGKILL");
  const manager = await coordination.jetstreamManager();
  await manager.streams.delete(hubStream.snapshot(firstEpoch));
  await nation.createHubStreams(coordination);
  await storeSnapshot(coordination, { sequence: 3, rows: rows(1) });
  await start();
  await until(async () => (await ownSnapshot()) === 3);
  const bytesOf = async (connection: NatsConnection, stream: string) =>
    (await readAll(connection, stream)).map(({ sequence, data }) => [
      sequence,
      Buffer.from(data).toString("hex"),
    ]);
  const atHub = await bytesOf(coordination, hubStream.snapshot(firstEpoch));
  expect(await bytesOf(centre, snapshot)).toEqual(atHub);
});
