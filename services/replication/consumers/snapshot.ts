import { batchLimits } from "#platform/append.ts";
import { batchGet, streamRange, type CopiedMessage } from "#platform/batch-get.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import { newestSnapshot, type StoredSnapshot } from "#platform/snapshots.ts";
import { ensureStream, regionSnapshotStream } from "#platform/streams.ts";
import { hubAsk, hubSubject, regionStream, regionSubject, streamAsk } from "#proto/names.ts";
import { AppendWindow } from "../append-window.ts";
import { askWaitMs, awayPollMs, flight, snapshotPollMs } from "../config.ts";
import { planSnapshotCopy } from "../domain/snapshot-copy.ts";
import type { Ends } from "../ends.ts";
import { compareAt, Forked } from "../fork.ts";
import type { LaneStates } from "../lane-states.ts";

const name = "down snapshot";
/** Of one request to the hub, and of one append in the region. */
const groupBytes = 3 * 1024 * 1024;
/** Requests on their way while earlier answers are stored. */
const groupsAhead = 2;

/**
 * Keeps the last complete snapshot of the hub in the region's own SNAPSHOT,
 * under the hub's sequences, until the signal. What the region has stays until
 * a newer one is whole.
 */
export class SnapshotCopy {
  readonly #ends: Ends;
  readonly #epoch: number;
  readonly #states: LaneStates;
  #newest: StoredSnapshot | undefined;
  /** A newer snapshot is in the region. */
  readonly arrived = new Wake();

  constructor(ends: Ends, capitalEpoch: number, states: LaneStates) {
    this.#ends = ends;
    this.#epoch = capitalEpoch;
    this.#states = states;
  }

  /** The region's own complete snapshot. */
  get newest(): StoredSnapshot | undefined {
    return this.#newest;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#states.set(name, "starting", "");
    while (!signal.aborted) {
      try {
        this.#newest ??= await this.#own();
        await this.#follow(signal);
        this.#states.set(name, "copying", "");
        await pause(snapshotPollMs, signal);
      } catch (error) {
        this.#states.set(name, "away", String(error));
        await pause(awayPollMs, signal);
      }
    }
  }

  get #stream(): string {
    return regionStream.snapshot(this.#epoch);
  }

  async #own(): Promise<StoredSnapshot | undefined> {
    const { region } = this.#ends;
    return newestSnapshot(region, streamAsk.get(this.#stream), regionSubject.snapshotManifest(this.#epoch));
  }

  /** Copies what the hub has and the region has not, and lets go of older snapshots. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { line, region } = this.#ends;
    const manager = await region.jetstreamManager({ checkAPI: false });
    // It is missing where this process was killed while it began the copy anew.
    await ensureStream(manager, regionSnapshotStream(this.#epoch));
    const get = hubAsk.getSnapshot(this.#epoch);
    const found = await newestSnapshot(line, get, hubSubject.snapshotManifest(this.#epoch));
    const here = await streamRange(region, streamAsk.info(this.#stream), askWaitMs);
    const there = await streamRange(line, hubAsk.infoSnapshot(this.#epoch), askWaitMs);
    const place =
      found === undefined
        ? undefined
        : { firstMessage: found.manifest.firstMessage, manifestMessage: found.message };
    const plan = planSnapshotCopy(place, here, there, await this.#agrees(here.last));
    switch (plan.kind) {
      case "none":
      case "current":
        return;
      case "anew":
        await this.#beginAt(plan.from);
        break;
      case "continue":
        break;
      default:
        return plan satisfies never;
    }
    const takesBatches = plan.kind === "anew" || here.takesBatches;
    if (found === undefined || !(await this.#copy(plan.from, found, takesBatches, signal))) return;
    this.#newest = found;
    this.arrived.notify();
    await manager.streams.purge(this.#stream, { seq: found.manifest.firstMessage });
  }

  async #agrees(sequence: number): Promise<boolean> {
    try {
      const get = hubAsk.getSnapshot(this.#epoch);
      await compareAt(this.#ends, streamAsk.get(this.#stream), get, sequence);
      return true;
    } catch (error) {
      if (error instanceof Forked) return false;
      throw error;
    }
  }

  /** @returns whether everything up to the last message is there. */
  async #copy(from: number, found: StoredSnapshot, takesBatches: boolean, signal: AbortSignal) {
    const failed = new AbortController();
    const window = new AppendWindow(flight, from - 1, () => failed.abort());
    const ends = AbortSignal.any([signal, failed.signal]);
    try {
      for await (const messages of this.#groups(from, found, ends)) {
        const [{ sequence } = { sequence: 0 }] = messages;
        const renamed = messages.map((message) => ({
          subject: this.#subjectOf(message.sequence, found.message),
          data: message.data,
        }));
        if (!(await window.sendAll(this.#ends.region, sequence, renamed, takesBatches))) break;
      }
    } finally {
      await window.drain();
    }
    if (window.failed) throw window.failure;
    return !signal.aborted;
  }

  /** A manifest on the way there is of an older snapshot, and of no use any more. */
  #subjectOf(sequence: number, last: number): string {
    return regionSubject[sequence === last ? "snapshotManifest" : "snapshotChunk"](this.#epoch);
  }

  /** The hub's messages in order, as many at once as one batch takes; the next ones are asked for meanwhile. */
  async *#groups(from: number, { manifest, message: to }: StoredSnapshot, signal: AbortSignal) {
    const average = Math.max(1, manifest.bytes / Math.max(1, manifest.chunkHashes.length));
    const size = Math.min(batchLimits.messagesMax, Math.max(1, Math.floor(groupBytes / average)));
    const asked: Promise<CopiedMessage[]>[] = [];
    let next = from;
    const ask = () => {
      const reading = this.#range(next, Math.min(to, next + size - 1));
      // It is awaited in its turn, perhaps after it has failed.
      reading.catch(() => undefined);
      asked.push(reading);
      next += size;
    };
    while (next <= to && asked.length < groupsAhead) ask();
    for (let group = asked.shift(); group !== undefined && !signal.aborted; group = asked.shift()) {
      const messages = await group;
      if (next <= to) ask();
      yield messages;
    }
  }

  async #range(from: number, to: number): Promise<CopiedMessage[]> {
    const messages: CopiedMessage[] = [];
    for (let next = from; next <= to;) {
      const got = await batchGet(this.#ends.line, hubAsk.getSnapshot(this.#epoch), next, to - next + 1);
      for (const [index, { sequence }] of got.entries())
        if (sequence !== next + index) throw new Error(`the hub has no message ${next + index} any more`);
      if (got.length === 0) throw new Error(`the hub has no message ${next} any more`);
      messages.push(...got);
      next += got.length;
    }
    return messages;
  }

  async #beginAt(first: number): Promise<void> {
    this.#newest = undefined;
    const manager = await this.#ends.region.jetstreamManager({ checkAPI: false });
    await manager.streams.delete(this.#stream);
    await ensureStream(manager, regionSnapshotStream(this.#epoch, first));
  }
}
