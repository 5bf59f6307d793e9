import { setImmediate as turn } from "node:timers/promises";
import { NationalTable } from "#domain/national-table.ts";
import { streamRange } from "#platform/batch-get.ts";
import { follow, StreamGap } from "#platform/follow.ts";
import { pause } from "#platform/lifecycle.ts";
import { watchForGap } from "#platform/gap-watch.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject, regionStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { bytesPerTurn, liveWaitingBytesMax, liveWaitingMax } from "../config.ts";
import type { Enforcement } from "../enforcement.ts";
import { SnapshotSource } from "../snapshot-table.ts";

/** A region whose copy has moved to a snapshot gets that snapshot within so long. */
const gapWaitMs = 300;
/** How often it is looked whether a table that differs can be mended (ms). */
const mendEveryMs = 5_000;

/**
 * Applies NATIONAL from two sources, the region's own copy and the messages
 * that the hub sends live, whichever brings the next sequence first. Live
 * before the copy is safe: the hub has it, and a restart reads the copy.
 */
export class NationalConsumer {
  readonly #connection: NatsConnection;
  readonly #enforcement: Enforcement;
  readonly #log: Log;
  readonly #stream: string;
  readonly #snapshots: SnapshotSource;
  /** Live messages that are later than the next one. */
  readonly #waiting = new Map<number, Uint8Array>();
  #waitingBytes = 0;
  /** What the table was when it came from the snapshot, until the copy has confirmed it. */
  #unconfirmed: { readonly sequence: number; readonly digest: Uint8Array } | undefined;
  #rebuilding: Promise<void> | undefined;
  /** The snapshot from which the table was rebuilt and still differed: the same again would change nothing. */
  #rebuiltInVain: number | undefined;
  /** What the copy had not any more, and no snapshot had brought either. */
  #missing = 0;
  #stopped = "";

  constructor(connection: NatsConnection, enforcement: Enforcement, log: Log) {
    this.#connection = connection;
    this.#enforcement = enforcement;
    this.#log = log;
    this.#stream = regionStream.national(enforcement.nationalEpoch);
    this.#snapshots = new SnapshotSource(connection, enforcement.region, enforcement.nationalEpoch);
    const { sequence, digest } = enforcement.table;
    if (sequence > 0) this.#unconfirmed = { sequence, digest };
  }

  /** Why no more batches are applied; empty while they are. */
  get stopped(): string {
    return this.#stopped;
  }

  async run(signal: AbortSignal): Promise<void> {
    const live = hubSubject.live(hubSubject.nationalAll(this.#enforcement.nationalEpoch));
    const subscription = this.#connection.subscribe(live, {
      callback: (error, message) => {
        const sequence = Number(message?.headers?.get("Nats-Sequence"));
        if (error === null && Number.isSafeInteger(sequence)) this.#offer(sequence, message.data, signal);
      },
    });
    const mending = this.#mend(signal);
    try {
      while (!signal.aborted) await this.#readCopy(signal);
      await mending;
    } finally {
      subscription.unsubscribe();
      await this.#rebuilding;
    }
  }

  /** A table that differs is rebuilt again as soon as there is a newer snapshot. */
  async #mend(signal: AbortSignal): Promise<void> {
    while (await pause(mendEveryMs, signal)) if (this.#enforcement.diverged !== "") this.#rebuild(signal);
  }

  async #readCopy(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    try {
      await this.#loadSnapshot();
      const after = await this.#copyStart();
      const reached = () => Math.max(after, this.#enforcement.table.sequence);
      const watching = watchForGap(this.#connection, this.#stream, reached, ends).finally(() => over.abort());
      for await (const { sequence, data } of follow(this.#connection, this.#stream, after, ends)) {
        if (this.#unconfirmed?.sequence === sequence) this.#confirm(data, signal);
        this.#offer(sequence, data, signal);
        if (data.length > bytesPerTurn) await turn();
      }
      const gap = await watching;
      if (gap !== undefined) throw gap;
    } catch (error) {
      if (!(error instanceof StreamGap)) throw error;
      this.#log.error(
        { event: "national-copy-gap", expected: error.expected, found: error.found },
        "the region's copy of NATIONAL does not reach back to this table: a snapshot is needed",
      );
      // The snapshot is there before the copy moves to it: only where it did not lead on is it waited for.
      if (error.expected === this.#missing) await pause(gapWaitMs, signal);
      this.#missing = error.expected;
    } finally {
      over.abort();
    }
  }

  /** From the region's snapshot, where the copy does not reach back to this table or is the longer way. */
  async #loadSnapshot(): Promise<void> {
    const { first } = await this.#copyRange();
    const snapshot = await this.#snapshots.shorterThan(this.#enforcement.table.sequence, first);
    if (snapshot === undefined) return;
    try {
      const table = await this.#snapshots.load(snapshot);
      // Live messages may have brought the table further meanwhile.
      if (table.sequence <= this.#enforcement.table.sequence) return;
      this.#enforcement.replaceTable(table, true);
      this.#unconfirmed = undefined;
      this.#log.info({ event: "snapshot-loaded", sequence: table.sequence, rows: table.size }, "snapshot");
    } catch (error) {
      this.#log.warn(
        { event: "snapshot-failed", reason: String(error) },
        "the snapshot cannot be loaded now",
      );
    }
  }

  /** After the replica's own file the copy is read from the snapshot's own last batch on, which must be the same one. */
  async #copyStart(): Promise<number> {
    const { sequence } = this.#enforcement.table;
    if (this.#unconfirmed === undefined) return sequence;
    const { first, last } = await this.#copyRange();
    if (last < this.#unconfirmed.sequence) {
      this.#log.warn(
        { event: "copy-behind-snapshot", copy: last, snapshot: this.#unconfirmed.sequence },
        "the table is further than the region's copy; it is kept until the copy can confirm it",
      );
    }
    if (first > this.#unconfirmed.sequence) this.#unconfirmed = undefined;
    return this.#unconfirmed === undefined ? sequence : this.#unconfirmed.sequence - 1;
  }

  async #copyRange(): Promise<{ first: number; last: number }> {
    try {
      return await streamRange(this.#connection, `$JS.API.STREAM.INFO.${this.#stream}`);
    } catch {
      // The server is away: follow waits for it, and reads the rest as it comes.
      return { first: 0, last: Number.MAX_SAFE_INTEGER };
    }
  }

  #confirm(data: Uint8Array, signal: AbortSignal): void {
    const unconfirmed = this.#unconfirmed;
    this.#unconfirmed = undefined;
    const batch = this.#decode(data);
    if (unconfirmed === undefined || batch === undefined) return;
    if (Buffer.compare(batch.digestAfter, unconfirmed.digest) === 0) return;
    this.#log.error(
      { event: "snapshot-of-other-history", sequence: unconfirmed.sequence },
      "the snapshot's table is not the one that the region's copy has at that sequence",
    );
    this.#rebuild(signal);
  }

  /** Applies the message if it is the next one, and the waiting ones that come after it. */
  #offer(sequence: number, data: Uint8Array, signal: AbortSignal): void {
    const next = this.#enforcement.table.sequence + 1;
    if (sequence < next || this.#stopped !== "") return;
    if (sequence > next) {
      const fits =
        this.#waiting.size < liveWaitingMax && this.#waitingBytes + data.length <= liveWaitingBytesMax;
      if (!fits || this.#waiting.has(sequence)) return;
      this.#waiting.set(sequence, data);
      this.#waitingBytes += data.length;
      return;
    }
    this.#apply(data, signal);
    this.#applyWaiting(signal);
  }

  /** What comes next of the waiting ones, questions in between; what another source has brought is let go of. */
  #applyWaiting(signal: AbortSignal): void {
    for (const [waited, { length }] of this.#waiting) {
      if (waited > this.#enforcement.table.sequence) continue;
      this.#waiting.delete(waited);
      this.#waitingBytes -= length;
    }
    const next = this.#enforcement.table.sequence + 1;
    const waiting = this.#waiting.get(next);
    if (waiting === undefined || this.#stopped !== "" || signal.aborted) return;
    setImmediate(() => this.#offer(next, waiting, signal));
  }

  #apply(data: Uint8Array, signal: AbortSignal): void {
    const batch = this.#decode(data);
    if (batch === undefined) return;
    try {
      const digestIsRight = this.#enforcement.applyNational(batch);
      if (digestIsRight) this.#rebuiltInVain = undefined;
      else this.#rebuild(signal);
    } catch (error) {
      this.#stop(`batch ${batch.sequence} cannot be applied`, error);
    }
  }

  #decode(data: Uint8Array): NationalBatch | undefined {
    try {
      return NationalBatch.decode(data);
    } catch (error) {
      this.#stop("a message of NATIONAL cannot be read", error);
      return undefined;
    }
  }

  /** Answering with what is there protects more people than ending: the capital names this region. */
  #stop(why: string, error: unknown): void {
    this.#stopped = why;
    this.#log.error(
      { event: "national-stopped", err: error, why },
      "no more batches of NATIONAL are applied",
    );
  }

  /** Reads snapshot and copy into another table, and takes that one when it has caught up. */
  #rebuild(signal: AbortSignal): void {
    if (this.#rebuilding !== undefined) return;
    this.#rebuilding = this.#readAnew(signal)
      .catch((error: unknown) => {
        this.#log.error(
          { event: "table-rebuild-failed", err: error },
          "the national table cannot be rebuilt",
        );
      })
      .finally(() => (this.#rebuilding = undefined));
  }

  async #readAnew(signal: AbortSignal): Promise<void> {
    const snapshot = await this.#snapshots.newest();
    const from = snapshot?.manifest.sequence ?? 0;
    if (from === this.#rebuiltInVain) return;
    this.#rebuiltInVain = from;
    this.#log.warn({ event: "table-rebuild", from }, "the national table is rebuilt from snapshot and copy");
    const table =
      snapshot === undefined
        ? new NationalTable(this.#enforcement.region)
        : await this.#snapshots.load(snapshot);
    if (table.sequence > 0 && table.sequence >= this.#enforcement.table.sequence)
      return this.#takeRebuilt(table, true);
    for await (const { data } of follow(this.#connection, this.#stream, table.sequence, signal)) {
      const digestIsRight = table.apply(NationalBatch.decode(data));
      if (table.sequence >= this.#enforcement.table.sequence) return this.#takeRebuilt(table, digestIsRight);
      if (data.length > bytesPerTurn) await turn();
    }
  }

  #takeRebuilt(table: NationalTable, digestIsRight: boolean): void {
    if (digestIsRight) this.#rebuiltInVain = undefined;
    this.#enforcement.replaceTable(table, digestIsRight);
    this.#log.warn({ event: "table-rebuilt", sequence: table.sequence, digestIsRight }, "rebuilt");
  }
}
