import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { follow } from "#platform/follow.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubStream, hubSubject, regionStream, regionSubject } from "#proto/names.ts";
import { lastOf, until } from "#test/replication/servers.ts";
import { ScreenedRegion } from "#test/screening/screening-service.ts";
import { storeSnapshot } from "#test/replication/stored-snapshot.ts";
import { entryOf, eventBytes, fill, importBatches } from "./bulk.ts";
import type { SyncLeg, SyncSize } from "./leg.ts";
import { PeerServers } from "./peer.ts";

const directives = 1_000_000;
const events = 100_000;
const waitMs = 300_000;
const restarts = 5;
const lookMs = 2;
const mirrorName = "NATS's own mirror";
const sourceName = "NATS's own source";

const national = regionStream.national(firstEpoch);

/** How fast one region's EVENTS come to the hub: a backlog, from the start of its replication. */
export async function up({ scale }: SyncSize): Promise<SyncLeg[]> {
  const count = Math.round(events * scale);
  const messages = Array.from({ length: count }, (_, index) => eventBytes(index + 1));
  const peerMs = await peerUp(messages);
  await using region = disposable(await ScreenedRegion.start());
  const { nation, coordination, centre, replication } = region.it;
  await replication.stop("SIGKILL");
  await fill(centre, regionSubject.lane("events", firstEpoch, "centre", "bench"), messages);
  const stream = hubStream.up("events", nation.region, firstEpoch);
  const before = await lastOf(coordination, stream);
  replication.start();
  await until(async () => (await lastOf(coordination, stream)) > before, waitMs);
  const [beganMs, from] = [performance.now(), await lastOf(coordination, stream)];
  await until(async () => (await lastOf(coordination, stream)) >= count, waitMs);
  const tookMs = performance.now() - beganMs;
  const perSecond = ((count - from) / tookMs) * 1_000;
  return [
    {
      ...{
        name: "up, one region",
        measured: perSecond,
        unit: "events/s",
        limit: 10_000,
        limitIs: "at least",
      },
      peer: { name: sourceName, measured: (count / peerMs) * 1_000 },
      note: `${count} events of ${messages[0]?.length ?? 0} bytes`,
    },
  ];
}

async function peerUp(messages: readonly Uint8Array[]): Promise<number> {
  await using peer = await PeerServers.start();
  await peer.stream(peer.leafConnection, "EVENTS", "events.>");
  await fill(peer.leafConnection, "events.bench", messages);
  await peer.sourceUp("EVENTS");
  return await peer.untilCopied(peer.hubConnection, "EVENTS", messages.length, waitMs);
}

/** A region that was cut off while the capital took a million directives: until its table is the nation's again. */
export async function down({ scale }: SyncSize): Promise<SyncLeg[]> {
  const count = Math.round(directives * scale);
  const batches = [...importBatches(count)];
  const last = batches.at(-1);
  if (last === undefined) return [];
  const bytes = batches.map((batch) => batch.bytes);
  const peerMs = await peerDown(bytes);
  await using region = disposable(await ScreenedRegion.start());
  const { nation, coordination, centre } = region.it;
  await region.it.startScreening();
  await nation.line.cut();
  await fill(coordination, hubSubject.national(firstEpoch), bytes);
  const beganMs = performance.now();
  await nation.line.heal();
  let copiedMs = 0;
  await until(async () => {
    if (copiedMs === 0 && (await lastOf(centre, national)) >= last.sequence)
      copiedMs = performance.now() - beganMs;
    const { nationalSequence, digest } = await region.it.state();
    return nationalSequence >= last.sequence && Buffer.compare(digest, last.digest) === 0;
  }, waitMs);
  const equalMs = performance.now() - beganMs;
  await until(async () => (await lastOf(centre, national)) >= last.sequence, waitMs);
  copiedMs = copiedMs === 0 ? performance.now() - beganMs : copiedMs;
  const perSecond = (milliseconds: number) => (count / milliseconds) * 1_000;
  return [
    {
      ...{ name: "down, into the region's copy", measured: perSecond(copiedMs), unit: "directives/s" },
      ...{ limit: 50_000, limitIs: "at least" },
      peer: { name: mirrorName, measured: perSecond(peerMs) },
      note: `${count} directives in ${bytes.length} messages`,
    },
    {
      ...{ name: "missed directives, equal again after reconnecting", measured: equalMs / 1_000, unit: "s" },
      ...{ limit: 10 * scale, limitIs: "at most" },
      note: `${count} missed, ${Math.round(perSecond(equalMs))} directives/s; the limit is for ${count}`,
    },
  ];
}

async function peerDown(messages: readonly Uint8Array[]): Promise<number> {
  await using peer = await PeerServers.start();
  await peer.stream(peer.hubConnection, "NATIONAL", "national.>");
  await fill(peer.hubConnection, "national.bench", messages);
  await peer.mirrorDown("NATIONAL");
  return await peer.untilCopied(peer.leafConnection, "NATIONAL", messages.length, waitMs);
}

/** A region that has nothing, and a hub that has a snapshot of a million and no older messages. */
export async function snapshot({ scale }: SyncSize): Promise<SyncLeg[]> {
  const count = Math.round(directives * scale);
  await using region = disposable(await ScreenedRegion.start());
  const { nation, coordination, replication, screening } = region.it;
  await replication.stop("SIGKILL");
  const rows = function* () {
    for (let index = 0; index < count; index += 1)
      yield { row: { $case: "entry" as const, value: entryOf(index, 1) } };
  };
  const manifest = await storeSnapshot(
    coordination,
    { sequence: 1_000, rows: rows() },
    { rowsPerChunk: 1_000 },
  );
  const manager = await coordination.jetstreamManager();
  await manager.streams.purge(hubStream.national(firstEpoch), { seq: 1_001 });
  const beganMs = performance.now();
  replication.start();
  screening.start();
  await until(async () => {
    const { nationalSequence, digest } = await region.it.state();
    return nationalSequence === 1_000 && Buffer.compare(digest, manifest.digest) === 0;
  }, waitMs);
  const tookMs = performance.now() - beganMs;
  return [
    {
      ...{ name: "new region from the snapshot", measured: tookMs / 1_000, unit: "s" },
      ...{ limit: 5 * scale, limitIs: "at most" },
      note: `${count} rows, ${Math.round(manifest.bytes / 1e6)} MB, from the start of ${nation.region}'s processes; the limit is for ${count}`,
    },
  ];
}

/**
 * The hub is killed and started again while a region has an event for it: from
 * the moment when its port for leaf nodes takes connections until the event is
 * stored, by the hub's own clock.
 */
export async function restart(): Promise<SyncLeg[]> {
  await using region = disposable(await ScreenedRegion.start());
  const { nation, coordination, centre } = region.it;
  const stream = hubStream.up("events", nation.region, firstEpoch);
  await until(async () => (await lastOf(coordination, stream)) > 0, waitMs);
  const tookMs: number[] = [];
  for (let time = 1; time <= restarts; time += 1) {
    await nation.hub.stop("SIGKILL");
    await fill(centre, regionSubject.lane("events", firstEpoch, "centre", "bench"), [eventBytes(time)]);
    const wanted = await lastOf(centre, regionStream.lane("events", firstEpoch));
    nation.hub.start();
    const listensAtMs = await whenListening(nation.ports.port("hub/leaf"));
    await until(async () => (await lastOf(coordination, stream)) >= wanted, waitMs);
    tookMs.push((await storedAtMs(coordination, stream, wanted)) - listensAtMs);
  }
  const peerMs = await peerRestart();
  return [
    {
      ...{ name: "resume after a hub restart, slowest", measured: Math.max(...tookMs) / 1_000, unit: "s" },
      ...{ limit: 1, limitIs: "at most" },
      peer: { name: sourceName, measured: peerMs / 1_000 },
      note: `${restarts} restarts, from the hub's leaf port taking connections until the event is stored: ${tookMs.map((each) => `${Math.round(each)} ms`).join(", ")}`,
    },
  ];
}

async function peerRestart(): Promise<number> {
  await using peer = await PeerServers.start();
  await peer.stream(peer.leafConnection, "EVENTS", "events.>");
  await peer.sourceUp("EVENTS");
  await fill(peer.leafConnection, "events.bench", [eventBytes(1)]);
  await peer.untilCopied(peer.hubConnection, "EVENTS", 1, waitMs);
  await peer.hub.stop("SIGKILL");
  await fill(peer.leafConnection, "events.bench", [eventBytes(2)]);
  peer.hub.start();
  const listensAtMs = await whenListening(peer.hubLeafPort);
  await until(async () => (await peer.hubConnection.jetstreamManager()) !== undefined, waitMs);
  await peer.untilCopied(peer.hubConnection, "EVENTS", 2, waitMs);
  return Date.now() - listensAtMs;
}

async function storedAtMs(connection: NatsConnection, stream: string, sequence: number): Promise<number> {
  const stop = new AbortController();
  for await (const message of follow(connection, stream, sequence - 1, stop.signal)) {
    stop.abort();
    return message.storedAtMs;
  }
  throw new Error(`${stream} does not hold message ${sequence}`);
}

/** Milliseconds since 1970 when a port of this machine took a connection. */
async function whenListening(port: number): Promise<number> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isThere = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return Date.now();
    await sleep(lookMs);
  }
}

function disposable(region: ScreenedRegion): AsyncDisposable & { readonly it: ScreenedRegion } {
  return { it: region, [Symbol.asyncDispose]: () => region.stop() };
}
