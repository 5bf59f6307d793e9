import { NationalTable } from "#domain/national-table.ts";
import { streamRange } from "#platform/batch-get.ts";
import { follow, StreamGap } from "#platform/follow.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject, regionStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { liveWaitingBytesMax, liveWaitingMax } from "../config.ts";
import type { Enforcement } from "../enforcement.ts";

const gapWaitMs = 5_000;

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
  /** Live messages that are later than the next one. */
  readonly #waiting = new Map<number, Uint8Array>();
  #waitingBytes = 0;
  /** What the table was when it came from the snapshot, until the copy has confirmed it. */
  #unconfirmed: { readonly sequence: number; readonly digest: Uint8Array } | undefined;
  #rebuilding: Promise<void> | undefined;
  /** The table was rebuilt and still differed: the same again would change nothing. */
  #rebuiltInVain = false;
  #stopped = "";

  constructor(connection: NatsConnection, enforcement: Enforcement, log: Log) {
    this.#connection = connection;
    this.#enforcement = enforcement;
    this.#log = log;
    this.#stream = regionStream.national(enforcement.nationalEpoch);
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
    try {
      while (!signal.aborted) await this.#readCopy(signal);
    } finally {
      subscription.unsubscribe();
      await this.#rebuilding;
    }
  }

  async #readCopy(signal: AbortSignal): Promise<void> {
    try {
      const after = await this.#copyStart();
      for await (const { sequence, data } of follow(this.#connection, this.#stream, after, signal)) {
        if (this.#unconfirmed?.sequence === sequence) this.#confirm(data, signal);
        this.#offer(sequence, data, signal);
      }
    } catch (error) {
      if (!(error instanceof StreamGap)) throw error;
      this.#log.error(
        { event: "national-copy-gap", expected: error.expected, found: error.found },
        "the region's copy of NATIONAL does not reach back to what this table needs",
      );
      await pause(gapWaitMs, signal);
    }
  }

  /** After a snapshot the copy is read from the snapshot's own last batch on, which must be the same one. */
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
    for (let after = next + 1; ; after += 1) {
      const waiting = this.#waiting.get(after);
      if (waiting === undefined || this.#enforcement.table.sequence !== after - 1) break;
      this.#apply(waiting, signal);
    }
    for (const [waited, { length }] of this.#waiting) {
      if (waited > this.#enforcement.table.sequence) continue;
      this.#waiting.delete(waited);
      this.#waitingBytes -= length;
    }
  }

  #apply(data: Uint8Array, signal: AbortSignal): void {
    const batch = this.#decode(data);
    if (batch === undefined) return;
    try {
      const digestIsRight = this.#enforcement.applyNational(batch);
      if (digestIsRight) this.#rebuiltInVain = false;
      else if (!this.#rebuiltInVain) this.#rebuild(signal);
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

  /** Reads the copy from its first message into another table, and takes that one when it has caught up. */
  #rebuild(signal: AbortSignal): void {
    if (this.#rebuilding !== undefined) return;
    this.#log.warn({ event: "table-rebuild" }, "the national table is rebuilt from the region's copy");
    this.#rebuilding = this.#readAnew(signal)
      .catch((error: unknown) => {
        this.#rebuiltInVain = true;
        this.#log.error(
          { event: "table-rebuild-failed", err: error },
          "the national table cannot be rebuilt",
        );
      })
      .finally(() => (this.#rebuilding = undefined));
  }

  async #readAnew(signal: AbortSignal): Promise<void> {
    const table = new NationalTable(this.#enforcement.region);
    for await (const { data } of follow(this.#connection, this.#stream, 0, signal)) {
      const digestIsRight = table.apply(NationalBatch.decode(data));
      if (table.sequence < this.#enforcement.table.sequence) continue;
      this.#rebuiltInVain = !digestIsRight;
      this.#enforcement.replaceTable(table, digestIsRight);
      this.#log.warn({ event: "table-rebuilt", sequence: table.sequence, digestIsRight }, "rebuilt");
      return;
    }
  }
}
