import { headers, type JetStreamManager, type NatsConnection } from "nats";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { regionStream, regionSubject, type Lane } from "#proto/names.ts";
import { parseAcknowledgement, WrongSequence } from "./append.ts";
import { pause } from "./lifecycle.ts";

const acknowledgeWaitMs = 1_000;
const retryWaitMs = 100;

/** Another process writes under this producer's name: this one must end. */
export class ProducerReplaced extends Error {
  override readonly name = "ProducerReplaced";
}

/**
 * Writes one producer's events into one lane of its region, in the order of its
 * outbox numbers, each exactly once: every append names the producer's own last
 * message (`Nats-Expected-Last-Subject-Sequence`), so a repeated one is refused
 * and a second process of the same name is noticed.
 */
export class LaneProducer {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #ownSubjects: string;
  readonly #subject: (type: string) => string;
  #lastOutbox = 0;
  #lastSequence = 0;
  /** The last event as it was found in the stream; empty: none was. */
  #lastBytes: Uint8Array = new Uint8Array();
  #trouble = "";

  private constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    lane: Lane,
    epoch: number,
    producer: string,
  ) {
    this.#connection = connection;
    this.#manager = manager;
    this.#stream = regionStream.lane(lane, epoch);
    this.#ownSubjects = regionSubject.laneOfProducer(lane, epoch, producer);
    this.#subject = (type) => regionSubject.lane(lane, epoch, producer, type);
  }

  /** Reads how far this producer is in the lane; waits while the stream is not there. */
  static async open(
    connection: NatsConnection,
    lane: Lane,
    epoch: number,
    producer: string,
    signal: AbortSignal,
  ): Promise<LaneProducer> {
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: acknowledgeWaitMs });
    const opened = new LaneProducer(connection, manager, lane, epoch, producer);
    for (;;) {
      try {
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
    const outbox = this.#lastOutbox + 1;
    const type = event.body?.$case ?? "unknown";
    const bytes = Event.encode({ ...event, outbox }).finish();
    return this.appendBytes(type, outbox, bytes, signal);
  }

  /** The same for an event that is encoded already; its outbox number is `lastOutbox + 1`. */
  async appendBytes(type: string, outbox: number, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
    if (outbox !== this.#lastOutbox + 1) {
      throw new RangeError(`outbox ${outbox} was given where ${this.#lastOutbox + 1} comes next`);
    }
    for (;;) {
      signal.throwIfAborted();
      try {
        const header = headers();
        header.set("Nats-Expected-Last-Subject-Sequence", String(this.#lastSequence));
        header.set("Nats-Expected-Last-Subject-Sequence-Subject", this.#ownSubjects);
        const answer = await this.#connection.request(this.#subject(type), bytes, {
          headers: header,
          timeout: acknowledgeWaitMs,
        });
        this.#lastSequence = parseAcknowledgement(answer.data);
        this.#lastOutbox = outbox;
        this.#trouble = "";
        return this.#lastSequence;
      } catch (error) {
        this.#trouble = String(error);
        if (await this.#wasStored(outbox, bytes, error, signal)) {
          this.#trouble = "";
          return this.#lastSequence;
        }
      }
    }
  }

  /** After a failed append: stored after all (its answer was lost), or to be tried again. */
  async #wasStored(outbox: number, bytes: Uint8Array, error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof WrongSequence)) await pause(retryWaitMs, signal);
    try {
      await this.#readLast();
    } catch {
      return false;
    }
    // Two processes of one name count alike: the number alone does not say whose event it is.
    const isOther = this.#lastOutbox === outbox && Buffer.compare(this.#lastBytes, bytes) !== 0;
    if (this.#lastOutbox > outbox || isOther) {
      throw new ProducerReplaced(
        `${this.#ownSubjects} is at outbox ${this.#lastOutbox}, this process at ${outbox}`,
      );
    }
    return this.#lastOutbox === outbox;
  }

  async #readLast(): Promise<void> {
    try {
      const last = await this.#manager.streams.getMessage(this.#stream, { last_by_subj: this.#ownSubjects });
      this.#lastSequence = last.seq;
      this.#lastOutbox = Event.decode(last.data).outbox;
      this.#lastBytes = last.data;
    } catch (error) {
      if (!(error instanceof Error) || !/message not found|no message found/i.test(error.message))
        throw error;
      this.#lastSequence = 0;
      this.#lastOutbox = 0;
    }
  }
}
