import { appendAt, appendBatch, batchLimits, type Message } from "#platform/append.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { appendWaitMs } from "./config.ts";

/**
 * Appends on their way: started in order, a limited number at once, not
 * awaited one by one. The first failure ends the window: what was started after
 * it is refused by compare-and-append, unless a late append of a former history
 * took the place of the one that failed (SPEC.md, “Not promised”).
 */
export class AppendWindow {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #onFailure: () => void;
  /** What is on its way, and since when (performance.now). */
  readonly #flying = new Map<Promise<void>, number>();
  /** Notified when something is on its way again, after nothing was. */
  readonly begun = new Wake();
  #bytes = 0;
  #messages = 0;
  /** Wakes the one sender that waits for room. */
  #landed: () => void = () => undefined;
  readonly #over = Promise.withResolvers<void>();
  #failure: unknown;
  #failed = false;
  /** Last sequence that is known to be stored at the other end. */
  #stored: number;

  /**
   * @param stored last sequence of the other end as the window begins
   * @param onFailure called once, at the first failure: whoever waits for the next message can stop waiting
   */
  constructor(
    limits: { readonly messagesMax: number; readonly bytesMax: number },
    stored: number,
    onFailure: () => void,
  ) {
    this.#stored = stored;
    this.#messagesMax = limits.messagesMax;
    this.#bytesMax = limits.bytesMax;
    this.#onFailure = onFailure;
  }

  get stored(): number {
    return this.#stored;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Why the window ended; undefined while it goes on. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Compare-and-append of messages that follow each other, from `sequence` on:
   * as batches where that is faster and the stream takes them.
   *
   * @returns false when an earlier append has failed
   */
  async sendAll(
    connection: NatsConnection,
    sequence: number,
    messages: readonly Message[],
    takesBatches: boolean,
  ): Promise<boolean> {
    let next = sequence;
    for (const batch of takesBatches ? inBatches(messages) : messages.map((message) => [message])) {
      const from = next;
      const [only, ...others] = batch;
      const bytes = batch.reduce((sum, { data }) => sum + data.length, 0);
      const isAlone = only !== undefined && others.length === 0;
      const last = from + batch.length - 1;
      const sent = isAlone
        ? this.#send(bytes, 1, last, () => appendAt(connection, only.subject, from, only.data, appendWaitMs))
        : this.#send(bytes, batchLimits.messagesMin, last, () =>
            appendBatch(connection, from, batch, appendWaitMs),
          );
      if (!(await sent)) return false;
      next += batch.length;
    }
    return true;
  }

  /**
   * Starts an append as soon as there is room for it. One sender at a time.
   *
   * @param weight as how many messages it counts
   * @param last sequence of its last message
   * @returns false when an earlier append has failed: nothing was started
   */
  async #send(bytes: number, weight: number, last: number, append: () => Promise<void>): Promise<boolean> {
    while (!this.#failed && this.#isFull(bytes, weight)) {
      await new Promise<void>((resolve) => {
        this.#landed = resolve;
      });
    }
    if (this.#failed) return false;
    this.#bytes += bytes;
    this.#messages += weight;
    const flying = append()
      .then(() => {
        this.#stored = Math.max(this.#stored, last);
      })
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#bytes -= bytes;
        this.#messages -= weight;
        this.#flying.delete(flying);
        this.#landed();
      });
    if (this.#flying.size === 0) this.begun.notify();
    this.#flying.set(flying, performance.now());
    return true;
  }

  /**
   * Resolves when nothing is on its way any more, when the window has ended, or
   * after so long: what lands after that lands where it belongs, or is refused.
   * Never rejects.
   */
  async drain(waitMs: number = appendWaitMs): Promise<void> {
    const enough = new AbortController();
    const late = pause(waitMs, enough.signal);
    const landed = (async () => {
      while (this.#flying.size > 0 && !this.#failed)
        await Promise.race([...this.#flying.keys(), this.#over.promise]);
    })();
    await Promise.race([landed, late]);
    enough.abort();
  }

  /** For how long the oldest append has not been answered (ms); 0: all are. */
  get unansweredMs(): number {
    const [oldest] = this.#flying.values();
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  /** Ends the window: its appends will not be answered any more. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
    this.#landed();
    this.#over.resolve();
    this.#onFailure();
  }

  /** What is larger than the whole limit goes alone. */
  #isFull(bytes: number, weight: number): boolean {
    if (this.#flying.size === 0) return false;
    return this.#messages + weight > this.#messagesMax || this.#bytes + bytes > this.#bytesMax;
  }
}

/** Cuts messages into batches; where they are too few for one, each goes alone. */
function inBatches(messages: readonly Message[]): Message[][] {
  if (messages.length < batchLimits.messagesMin) return messages.map((message) => [message]);
  const batches: Message[][] = [];
  let bytes = Infinity;
  for (const message of messages) {
    const batch = batches.at(-1);
    bytes += message.data.length;
    if (batch === undefined || batch.length >= batchLimits.messagesMax || bytes > batchLimits.bytesMax) {
      batches.push([message]);
      bytes = message.data.length;
    } else batch.push(message);
  }
  return batches;
}
