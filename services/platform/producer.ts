import type { NatsConnection } from "nats";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { firstEpoch, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { batchLimits, publishBatch, WrongSequence, type Message } from "./append.ts";
import { lastOfSubject, streamRange } from "./batch-get.ts";
import { numbersTold, openingOf } from "./epochs.ts";
import { pause } from "./lifecycle.ts";

const acknowledgeWaitMs = 1_000;
const batchWaitMs = 5_000;
const retryWaitMs = 100;

/** Another process writes under this producer's name: this one must end. */
export class ProducerReplaced extends Error {
  override readonly name = "ProducerReplaced";
}

/** An event that has its number, encoded. */
export interface NumberedEvent {
  /** Name of its body. */
  readonly type: string;
  readonly outbox: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes one producer's events into one lane of its region, in the order of its
 * outbox numbers, each exactly once: every append names the producer's own last
 * message (`Nats-Expected-Last-Subject-Sequence`), so a repeated one is refused
 * and a second process of the same name is noticed.
 */
export class LaneProducer {
  readonly #connection: NatsConnection;
  readonly #lane: Lane;
  readonly #epoch: number;
  readonly #producer: string;
  readonly #stream: string;
  readonly #ownSubjects: string;
  #takesBatches = false;
  /** The process of nats-server that said how far this producer is (its id of that start); undefined: none has. */
  #server: string | undefined;
  #lastOutbox = 0;
  #lastSequence = 0;
  /** The last event as it was found in the stream; empty: none was. */
  #lastBytes: Uint8Array = new Uint8Array();
  #trouble = "";

  private constructor(connection: NatsConnection, lane: Lane, epoch: number, producer: string) {
    this.#connection = connection;
    this.#lane = lane;
    this.#epoch = epoch;
    this.#producer = producer;
    this.#stream = regionStream.lane(lane, epoch);
    this.#ownSubjects = regionSubject.laneOfProducer(lane, epoch, producer);
  }

  /**
   * Reads how far this producer is in the lane; waits while the stream is not
   * there. Where the lane keeps none of its messages it goes on after the number
   * that it had before they were trimmed, or in the epoch before.
   *
   * @param epoch of the region's lanes (openedEpoch)
   */
  static async open(
    connection: NatsConnection,
    lane: Lane,
    epoch: number,
    producer: string,
    signal: AbortSignal,
  ): Promise<LaneProducer> {
    const opened = new LaneProducer(connection, lane, epoch, producer);
    for (;;) {
      try {
        const { takesBatches } = await streamRange(
          connection,
          streamAsk.info(opened.#stream),
          acknowledgeWaitMs,
        );
        opened.#takesBatches = takesBatches;
        await opened.#readLast();
        return opened;
      } catch (error) {
        if (!(await pause(retryWaitMs, signal))) throw error;
      }
    }
  }

  /** Outbox number of the last event that is stored; 0: none. */
  get lastOutbox(): number {
    return this.#lastOutbox;
  }

  /** Why the last append has not succeeded yet; empty: it has. */
  get trouble(): string {
    return this.#trouble;
  }

  /**
   * Stores the event that comes after `lastOutbox`, however often the server
   * or the line goes away meanwhile. One append at a time.
   *
   * @returns its sequence in the lane
   * @throws ProducerReplaced, or the signal's reason when it aborts first
   */
  async append(event: Omit<Event, "outbox">, signal: AbortSignal): Promise<number> {
    const known = this.#lastOutbox;
    await this.#meetServer(signal);
    // Where the lane came back older, what this process has used already is not used again.
    const outbox = Math.max(known, this.#lastOutbox) + 1;
    const type = event.body?.$case ?? "unknown";
    const bytes = Event.encode({ ...event, outbox }).finish();
    return this.appendBytes(type, outbox, bytes, signal);
  }

  /** The same for an event that is encoded already; its outbox number is beyond `lastOutbox`. */
  async appendBytes(type: string, outbox: number, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
    await this.appendAll([{ type, outbox, bytes }], signal);
    return this.#lastSequence;
  }

  /**
   * The same for events that follow each other, in as few batches as the
   * server takes.
   *
   * @param events with numbers that grow, all beyond `lastOutbox`; a recovered outbox has gaps
   * @returns their sequences in the lane
   */
  async appendAll(events: readonly NumberedEvent[], signal: AbortSignal): Promise<number[]> {
    const [first] = events;
    if (first !== undefined && first.outbox <= this.#lastOutbox) {
      throw new RangeError(`outbox ${first.outbox} was given, and ${this.#lastOutbox} is stored already`);
    }
    const sequences: number[] = [];
    while (sequences.length < events.length) {
      signal.throwIfAborted();
      const batch = this.#batchOf(events, sequences.length);
      await this.#store(batch, signal);
      // A batch stands in the lane without anything between its messages.
      const stored = batch.filter(({ outbox }) => outbox <= this.#lastOutbox).length;
      for (let back = stored - 1; back >= 0; back -= 1) sequences.push(this.#lastSequence - back);
    }
    return sequences;
  }

  #batchOf(events: readonly NumberedEvent[], from: number): NumberedEvent[] {
    const isBatch = this.#takesBatches && events.length - from >= batchLimits.messagesMin;
    const batch: NumberedEvent[] = [];
    let bytes = 0;
    for (const event of events.slice(from, from + (isBatch ? batchLimits.messagesMax : 1))) {
      bytes += event.bytes.length;
      if (batch.length > 0 && bytes > batchLimits.bytesMax) break;
      batch.push(event);
    }
    return batch;
  }

  /** Whether whoever answers now is the one that said how far this producer is. */
  get #isSameServer(): boolean {
    return this.#server !== undefined && this.#server === this.#connection.info?.server_id;
  }

  /**
   * Reads how far this producer is where another process of the server answers
   * now: it may have an older copy of the lane, and there a message of another
   * history at the very sequence of the last own one.
   */
  async #meetServer(signal: AbortSignal): Promise<void> {
    while (!this.#isSameServer) {
      try {
        await this.#readLast();
      } catch (error) {
        this.#trouble = String(error);
        if (!(await pause(retryWaitMs, signal))) throw error;
      }
    }
  }

  /** Stores the batch, or finds out how far the lane is after a failure, and before another server is asked. */
  async #store(batch: readonly NumberedEvent[], signal: AbortSignal): Promise<void> {
    if (!this.#isSameServer) {
      await this.#meetServer(signal);
      this.#compare(batch);
      return;
    }
    const messages = batch.map(({ type, bytes }): Message => {
      return { subject: regionSubject.lane(this.#lane, this.#epoch, this.#producer, type), data: bytes };
    });
    const expectation = {
      "Nats-Expected-Last-Subject-Sequence": String(this.#lastSequence),
      "Nats-Expected-Last-Subject-Sequence-Subject": this.#ownSubjects,
    };
    try {
      const waitMs = messages.length > 1 ? batchWaitMs : acknowledgeWaitMs;
      this.#lastSequence = await publishBatch(this.#connection, messages, expectation, waitMs);
      this.#lastOutbox = batch.at(-1)?.outbox ?? this.#lastOutbox;
      this.#trouble = "";
    } catch (error) {
      this.#trouble = String(error);
      if (!(error instanceof WrongSequence)) await pause(retryWaitMs, signal);
      await this.#lookAgain(batch);
    }
  }

  /** After a failed append: stored after all (its answer was lost), or to be tried again. */
  async #lookAgain(batch: readonly NumberedEvent[]): Promise<void> {
    try {
      await this.#readLast();
    } catch {
      return;
    }
    this.#compare(batch);
  }

  /** @throws ProducerReplaced when what the lane has of this producer is not of this batch, and not before it */
  #compare(batch: readonly NumberedEvent[]): void {
    // Two processes of one name count alike: the number alone does not say whose event it is.
    const found = batch.find(({ outbox }) => outbox === this.#lastOutbox);
    const isOther =
      found === undefined
        ? this.#lastOutbox > (batch[0]?.outbox ?? 0)
        : Buffer.compare(this.#lastBytes, found.bytes) !== 0;
    const last = batch.at(-1)?.outbox ?? 0;
    if (isOther) {
      throw new ProducerReplaced(
        `${this.#ownSubjects} is at outbox ${this.#lastOutbox}, this process at ${last}`,
      );
    }
    if (found !== undefined) this.#trouble = "";
  }

  async #readLast(): Promise<void> {
    const server = this.#connection.info?.server_id;
    const last = await lastOfSubject(
      this.#connection,
      streamAsk.get(this.#stream),
      this.#ownSubjects,
      acknowledgeWaitMs,
    );
    this.#lastSequence = last?.sequence ?? 0;
    this.#lastOutbox = last === undefined ? await this.#numberTold() : Event.decode(last.data).outbox;
    this.#lastBytes = last?.data ?? new Uint8Array();
    this.#server = server;
  }

  /** The number that this producer had when the epoch was opened, or before its messages were trimmed. */
  async #numberTold(): Promise<number> {
    const [opening, told] = await Promise.all([
      this.#epoch > firstEpoch ? openingOf(this.#connection, this.#lane, this.#epoch) : undefined,
      numbersTold(this.#connection, this.#lane, this.#epoch),
    ]);
    const marks = [...(opening?.opened.producers ?? []), ...told];
    return Math.max(
      0,
      ...marks.filter(({ producer }) => producer === this.#producer).map(({ outbox }) => outbox),
    );
  }
}
