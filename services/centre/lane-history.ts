import { createHash } from "node:crypto";
import { batchGetOf, lastOfSubject, messageAt, NoSuchStream, streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { firstEpoch, refeedToken, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { producerName } from "./config.ts";
import type { LaneEntry } from "./domain/reconcile.ts";
import { splitOutboxNumber } from "./store/outbox.ts";

/** What JetStream keeps of a lane in one epoch. */
export interface KeptRange {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
}

/** A message of this centre's own. */
export interface OwnMessage {
  readonly subject: string;
  /** The encoded event without its outbox number. */
  readonly rest: Uint8Array;
  readonly entry: LaneEntry;
}

/** This centre's events in one lane of its region, in every epoch that is kept. */
export class LaneHistory {
  readonly #connection: NatsConnection;
  readonly #lane: Lane;
  /** Oldest epoch first. */
  readonly kept: readonly KeptRange[];

  private constructor(connection: NatsConnection, lane: Lane, kept: readonly KeptRange[]) {
    this.#connection = connection;
    this.#lane = lane;
    this.kept = kept;
  }

  /**
   * @param epoch the epoch that is open
   * @throws when the region's server does not answer
   */
  static async open(connection: NatsConnection, lane: Lane, epoch: number): Promise<LaneHistory> {
    const kept: KeptRange[] = [];
    for (let each = firstEpoch; each <= epoch; each += 1) {
      const range = await keptRange(connection, regionStream.lane(lane, each));
      if (range !== undefined) kept.push({ epoch: each, ...range });
    }
    return new LaneHistory(connection, lane, kept);
  }

  /** Whether the lane no longer keeps what stood there: it was trimmed, with the epoch or by sequence. */
  isTrimmed(epoch: number, sequence: number): boolean {
    const range = this.kept.find((each) => each.epoch === epoch);
    return range === undefined ? this.kept.some((each) => each.epoch > epoch) : sequence < range.first;
  }

  /** The event that stands there; undefined: none of this centre's. */
  async at(epoch: number, sequence: number): Promise<OwnMessage | undefined> {
    const stream = streamAsk.get(regionStream.lane(this.#lane, epoch));
    const found = await messageAt(this.#connection, stream, sequence);
    return found === undefined ? undefined : ownMessage(this.#lane, epoch, found);
  }

  /**
   * Every own event from a place on, by epoch and sequence.
   *
   * @param after sequence in `epoch` that is known; later epochs are read whole
   */
  async from(epoch: number, after: number, signal: AbortSignal): Promise<LaneEntry[]> {
    const entries: LaneEntry[] = [];
    for (const range of this.kept.filter((each) => each.epoch >= epoch)) {
      const start = range.epoch === epoch ? after : 0;
      const refed = await this.#read(range, `${refeedToken}.${producerName}`, start, signal);
      const own = await this.#read(range, producerName, start, signal);
      entries.push(...[...refed, ...own].toSorted((left, right) => left.sequence - right.sequence));
    }
    return entries;
  }

  /** Events of one producer's subjects that are there now; what comes meanwhile is left, and what is trimmed is gone. */
  async #read(
    { epoch, last }: KeptRange,
    producer: string,
    after: number,
    signal: AbortSignal,
  ): Promise<LaneEntry[]> {
    const stream = streamAsk.get(regionStream.lane(this.#lane, epoch));
    const filter = regionSubject.laneOfProducer(this.#lane, epoch, producer);
    const entries: LaneEntry[] = [];
    for (let next = after + 1; next <= last;) {
      signal.throwIfAborted();
      const messages = await batchGetOf(this.#connection, stream, filter, next);
      for (const message of messages) {
        const own = ownMessage(this.#lane, epoch, message);
        if (own !== undefined) entries.push(own.entry);
      }
      next = (messages.at(-1)?.sequence ?? last) + 1;
    }
    return entries;
  }
}

/**
 * The newest events of this centre that a lane holds: of its own, and of those
 * that were fed again. A database that lacks neither lacks nothing that the
 * lane got since the two were brought together: the order of the lane is kept.
 */
export async function newestOwn(
  connection: NatsConnection,
  lane: Lane,
  epoch: number,
): Promise<readonly LaneEntry[]> {
  const stream = streamAsk.get(regionStream.lane(lane, epoch));
  const found = await Promise.all(
    [producerName, `${refeedToken}.${producerName}`].map((producer) =>
      lastOfSubject(connection, stream, regionSubject.laneOfProducer(lane, epoch, producer)),
    ),
  );
  return found.flatMap((message) => {
    const own = message === undefined ? undefined : ownMessage(lane, epoch, message);
    return own === undefined ? [] : [own.entry];
  });
}

async function keptRange(
  connection: NatsConnection,
  stream: string,
): Promise<{ first: number; last: number } | undefined> {
  try {
    return await streamRange(connection, streamAsk.info(stream));
  } catch (error) {
    if (error instanceof NoSuchStream) return undefined;
    throw error;
  }
}

/** Undefined: another producer's, or nothing that this release could have written. */
function ownMessage(
  lane: Lane,
  epoch: number,
  message: { readonly subject: string; readonly data: Uint8Array; readonly sequence: number },
): OwnMessage | undefined {
  const { subject, data, sequence } = message;
  const isOwn = [producerName, `${refeedToken}.${producerName}`].some((producer) =>
    subject.startsWith(regionSubject.laneOfProducer(lane, epoch, producer).slice(0, -1)),
  );
  if (!isOwn) return undefined;
  const { number, rest } = splitOutboxNumber(data);
  const content = createHash("sha256").update(rest).digest("hex");
  return { subject, rest, entry: { number, content, epoch, sequence } };
}
