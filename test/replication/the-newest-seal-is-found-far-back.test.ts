import { afterAll, beforeAll, expect, test } from "vitest";
import { appendBatch } from "#platform/append.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, regionStream, regionSubject } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { Seal } from "#proto/qalqan/events/v1/sync.ts";
import { NewestSeal } from "../../services/replication/newest-seal.ts";
import { HubAndRegion, lastOf, until } from "./servers.ts";

const stream = regionStream.national(firstEpoch);

let servers: HubAndRegion;
let connection: NatsConnection;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  connection = await servers.connect("replication");
  await until(async () => {
    const manager = await connection.jetstreamManager({ checkAPI: false });
    for (const each of regionStreams(firstEpoch, firstEpoch)) await ensureStream(manager, each);
    return true;
  });
});

afterAll(async () => servers.stop());

async function store(...messages: readonly Uint8Array[]): Promise<void> {
  const subject = regionSubject.national(firstEpoch);
  const next = (await lastOf(connection, stream)) + 1;
  await appendBatch(
    connection,
    next,
    messages.map((data) => ({ subject, data })),
  );
}

/** Messages with something else in them. */
const others = (count: number, bytes = 10) => Array.from({ length: count }, () => new Uint8Array(bytes));
const sealed = (last: number) =>
  NationalBatch.encode(NationalBatch.fromPartial({ seal: Seal.fromPartial({ first: last, last }) })).finish();

test("the newest seal is found as far back as two can be apart, and no further", async () => {
  const newest = new NewestSeal(connection, firstEpoch);
  const shown = async () => (await newest.read())?.last;
  expect(await shown()).toBeUndefined();
  await store(sealed(1), ...others(200, 2_000));
  await until(async () => (await shown()) === 1);
  // The newer of two, behind more bytes than one answer has.
  await store(sealed(2), ...others(3), sealed(3), ...others(20, 150_000));
  await store(...others(20, 150_000));
  await until(async () => (await shown()) === 3);
  await store(...others(985));
  expect(await new NewestSeal(connection, firstEpoch).read()).toBeUndefined();
  expect(await shown()).toBe(3);
  await store(sealed(4), ...others(900));
  await store(...others(123));
  await until(async () => (await shown()) === 4);
  // Nor behind more than 16 MiB, which every heartbeat would read.
  await store(sealed(5));
  for (let batch = 0; batch < 6; batch += 1) await store(...others(25, 150_000));
  expect(await shown()).toBe(4);
});
