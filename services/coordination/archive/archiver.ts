import { packSegment, type ArchivedStream, type SegmentName } from "#platform/archive/segment.ts";
import { isSealed, segmentsOf } from "#platform/archive/read-archive.ts";
import type { ObjectStore } from "#platform/archive/object-store.ts";
import type { Alarms } from "#platform/alarms.ts";
import { capital } from "#domain/vocabulary.ts";
import { follow, type StoredMessage } from "#platform/follow.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { archivedAs } from "./hub-stream-name.ts";

/** How often the ends of the hub's streams are looked at (ms). */
const lookIntervalMs = 2_000;
/** A segment is cut at the first seal after so many bytes of messages, or so many messages. */
const segmentBytesMin = 4 * 1024 * 1024;
const segmentMessagesMin = 20_000;
/** Seals come each second or thousand messages: so much without one is no sealed stream (bytes). */
const unsealedBytesMax = 64 * 1024 * 1024;
/** A stream is read for so long at once; what is left then comes with the next look (ms). */
const readMsMax = 10 * 60_000;
/** After each segment others have their turn: what is behind by days does not take the leader's processor (ms). */
const paceMs = 100;

/** How far a stream is archived. */
export interface ArchivedUpTo extends ArchivedStream {
  /** Last sequence in the archive; 0: none. */
  readonly last: number;
}

interface Followed {
  readonly of: ArchivedStream;
  newest: SegmentName | undefined;
  /** When what is not archived was first seen. */
  waitingSinceMs: number | undefined;
}

/**
 * Writes what the hub's lanes and NATIONAL hold into the archive, sealed
 * messages alone, one stream after the other. It is off the leader's way: a
 * storage that is slow or away delays nothing but the trimming.
 *
 * What was written is read from the names in the archive, at the start and after
 * every failure: nobody else has to remember it, and a write whose answer was
 * lost is not repeated.
 */
export class Archiver {
  readonly #store: ObjectStore;
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #alarms: Alarms;
  readonly #everyMs: number;
  readonly #followed = new Map<string, Followed>();

  /** @param everyMs what has waited so long is archived, in however small a segment */
  constructor(store: ObjectStore, connection: NatsConnection, log: Log, alarms: Alarms, everyMs: number) {
    this.#store = store;
    this.#connection = connection;
    this.#log = log;
    this.#alarms = alarms;
    this.#everyMs = everyMs;
  }

  /** Last sequence of a hub stream that is in the archive; 0: none, or not known yet. */
  upTo(hubStream: string): number {
    return this.#followed.get(hubStream)?.newest?.last ?? 0;
  }

  /** How far every stream is archived that has been looked at. */
  get all(): readonly ArchivedUpTo[] {
    return [...this.#followed.values()].map(({ of, newest }) => ({ ...of, last: newest?.last ?? 0 }));
  }

  async run(signal: AbortSignal): Promise<void> {
    do {
      try {
        await this.#look(signal);
        this.#alarms.clear("archive-behind", "archive");
      } catch (error) {
        if (signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.#log.warn({ event: "archive-failed", reason }, "segments could not be archived; trying again");
        this.#alarms.raise("archive-behind", "archive", `segments cannot be archived: ${reason}`);
        // Whether the last write arrived, the archive itself says.
        this.#followed.clear();
      }
    } while (await pause(lookIntervalMs, signal));
  }

  async #look(signal: AbortSignal): Promise<void> {
    const manager = await this.#connection.jetstreamManager({ checkAPI: false });
    for await (const { config, state } of manager.streams.list()) {
      const of = archivedAs(config.name, capital);
      if (of === undefined) continue;
      const followed = await this.#followedOf(config.name, of);
      const known = followed.newest?.last ?? 0;
      if (state.last_seq <= known) {
        followed.waitingSinceMs = undefined;
        continue;
      }
      const nowMs = Date.now();
      followed.waitingSinceMs ??= nowMs;
      const waitedMs = nowMs - followed.waitingSinceMs;
      if (waitedMs < this.#everyMs && state.last_seq - known < segmentMessagesMin) continue;
      // What was trimmed before there was an archive is not in it.
      await this.#archive(
        config.name,
        followed,
        Math.max(known, state.first_seq - 1),
        state.last_seq,
        signal,
      );
      if (signal.aborted) return;
    }
  }

  async #followedOf(name: string, of: ArchivedStream): Promise<Followed> {
    const known = this.#followed.get(name);
    if (known !== undefined) return known;
    const newest = (await segmentsOf(this.#store, of)).at(-1);
    const followed: Followed = { of, newest, waitingSinceMs: undefined };
    this.#followed.set(name, followed);
    return followed;
  }

  /** Archives up to the last seal that is there now. */
  async #archive(
    name: string,
    followed: Followed,
    after: number,
    last: number,
    signal: AbortSignal,
  ): Promise<void> {
    let open: StoredMessage[] = [];
    let bytes = 0;
    /** How many of the open messages a segment may hold now: those up to the last seal. */
    let sealed = 0;
    const over = AbortSignal.any([signal, AbortSignal.timeout(readMsMax)]);
    for await (const message of follow(this.#connection, name, after, over)) {
      open.push(message);
      bytes += message.data.length;
      if (isSealed(followed.of.stream, message)) sealed = open.length;
      const isFull = bytes >= segmentBytesMin || open.length >= segmentMessagesMin;
      if (isFull && sealed === open.length) {
        await this.#put(followed, open);
        await pause(paceMs, signal);
        open = [];
        bytes = 0;
        sealed = 0;
      }
      if (bytes > unsealedBytesMax) throw new Error(`${name} has no seal after ${message.sequence}`);
      if (message.sequence >= last) break;
    }
    if (sealed > 0 && !signal.aborted) await this.#put(followed, open.slice(0, sealed));
    followed.waitingSinceMs = undefined;
  }

  async #put(followed: Followed, messages: readonly StoredMessage[]): Promise<void> {
    const { of, newest } = followed;
    const archived = messages.map(({ sequence, subject, storedAtMs, data }) => ({
      sequence,
      subject,
      storedAtMs: Math.round(storedAtMs),
      data: Buffer.from(data),
    }));
    const { bytes, ...named } = await packSegment(of, newest?.sha256 ?? "", archived);
    await this.#store.put(named.name, bytes);
    followed.newest = named;
    const { name, first, last } = named;
    this.#log.info({ event: "segment-archived", name, first, last, bytes: bytes.length }, "archived");
  }
}
