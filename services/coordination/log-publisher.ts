import { appendAt, WrongSequence } from "#platform/append.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { onDisconnect, type NatsConnection } from "#platform/nats.ts";

/**
 * The hub's stream holds something that PostgreSQL does not know: another
 * leader, or storage that was restored from a backup. Nothing may be appended
 * until somebody has looked.
 */
export class StreamForked extends Error {
  override readonly name = "StreamForked";
}

/** A log in PostgreSQL that is appended to a stream of the hub, byte for byte. */
export interface PublishedLog {
  readonly stream: string;
  readonly subject: string;
  /** Bytes of the messages from a sequence on, in order. */
  readonly read: (from: number, limit: number) => Promise<Uint8Array[]>;
}

const retryWaitMs = 100;
const keptMessagesMax = 64;
const readMessagesMax = 16;

/**
 * Appends what is committed to a log, in order, each message where it belongs
 * (compare-and-append). Where the hub stands behind, it is refilled with the
 * same bytes; where it holds something else, the process must end.
 */
export class LogPublisher {
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #source: PublishedLog;
  readonly #appended: () => void;
  readonly #wake = new Wake();
  /** Bytes of the newest messages that are not appended yet. */
  readonly #kept = new Map<number, Uint8Array>();
  #committed: number;
  #published = 0;

  /**
   * @param committed last sequence in the log
   * @param appended is called after each append
   */
  constructor(
    connection: NatsConnection,
    log: Log,
    source: PublishedLog,
    committed: number,
    appended: () => void,
  ) {
    this.#connection = connection;
    this.#log = log;
    this.#source = source;
    this.#committed = committed;
    this.#appended = appended;
  }

  /** Last sequence that is in the stream. */
  get published(): number {
    return this.#published;
  }

  /** Messages that are committed and not yet in the stream. */
  get backlog(): number {
    return this.#committed - this.#published;
  }

  /** Message `sequence` is committed to the log; it is appended as soon as the hub takes it. */
  committed(sequence: number, bytes: Uint8Array): void {
    this.#committed = sequence;
    if (this.#kept.size < keptMessagesMax) this.#kept.set(sequence, bytes);
    this.#wake.notify();
  }

  /**
   * Compares the stream with the log, and waits while the hub does not answer.
   *
   * @throws StreamForked
   */
  async align(signal: AbortSignal): Promise<void> {
    const { stream } = this.#source;
    for (;;) {
      try {
        this.#published = await this.#lastOfStream();
        return;
      } catch (error) {
        if (error instanceof StreamForked) throw error;
        this.#log.info({ stream, reason: String(error) }, "waiting for the stream");
        if (!(await pause(retryWaitMs, signal))) throw signal.reason;
      }
    }
  }

  /**
   * Appends for ever. When the signal aborts, what was committed is still
   * appended if the hub takes it at once.
   *
   * @throws StreamForked
   */
  async run(signal: AbortSignal): Promise<void> {
    let mayBeOlder = false;
    // A hub that was away may have come back older, and perhaps nothing follows that would show it.
    const forget = onDisconnect(this.#connection, () => {
      mayBeOlder = true;
      this.#wake.notify();
    });
    try {
      for (;;) {
        while (this.#published < this.#committed) {
          if (!(await this.#appendNext(signal))) return;
        }
        if (signal.aborted) return;
        await this.#wake.wait(1_000, signal);
        if (!mayBeOlder || signal.aborted) continue;
        mayBeOlder = false;
        await this.align(signal);
      }
    } finally {
      forget();
    }
  }

  /** False: the service stops, and the hub does not answer. */
  async #appendNext(signal: AbortSignal): Promise<boolean> {
    const sequence = this.#published + 1;
    const bytes = this.#kept.get(sequence) ?? (await this.#load(sequence));
    try {
      await appendAt(this.#connection, this.#source.subject, sequence, bytes);
      this.#published = sequence;
    } catch (error) {
      if (!(error instanceof WrongSequence)) {
        const { stream } = this.#source;
        this.#log.warn(
          { stream, sequence, reason: String(error) },
          "the hub did not take a message; trying again",
        );
        if (!(await pause(retryWaitMs, signal))) return false;
      }
      await this.align(signal);
    }
    for (const kept of this.#kept.keys()) {
      if (kept > this.#published) break;
      this.#kept.delete(kept);
    }
    this.#appended();
    return true;
  }

  async #load(sequence: number): Promise<Uint8Array> {
    const read = await this.#source.read(sequence, readMessagesMax);
    read.forEach((bytes, index) => this.#kept.set(sequence + index, bytes));
    const [bytes] = read;
    if (bytes === undefined) throw new Error(`${this.#source.stream}: message ${sequence} is not in the log`);
    return bytes;
  }

  /** The stream's last sequence, after its content there was found to be ours. */
  async #lastOfStream(): Promise<number> {
    const { stream } = this.#source;
    const manager = await this.#connection.jetstreamManager({ checkAPI: false });
    const { state } = await manager.streams.info(stream);
    const last = state.last_seq;
    if (last > this.#committed) {
      throw new StreamForked(
        `${stream} is at ${last}, and PostgreSQL knows ${this.#committed} messages of it`,
      );
    }
    if (last > 0) {
      const [[ours], theirs] = await Promise.all([
        this.#source.read(last, 1),
        manager.streams.getMessage(stream, { seq: last }),
      ]);
      if (ours === undefined || !Buffer.from(ours).equals(Buffer.from(theirs.data))) {
        throw new StreamForked(`${stream} holds something else at ${last} than PostgreSQL does`);
      }
    }
    if (last < this.#published) {
      this.#log.error(
        { stream, last, before: this.#published },
        "the hub has come back older; it is refilled",
      );
    }
    return last;
  }
}
