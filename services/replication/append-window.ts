import { appendAt, appendBatch, batchLimits, type Message } from "#platform/append.ts";
import type { NatsConnection } from "#platform/nats.ts";

/**
 * Appends on their way: started in order, a limited number at once, not
 * awaited one by one. The first failure ends the window, because what was
 * started after it is refused by compare-and-append anyhow.
 */
export class AppendWindow {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #onFailure: () => void;
  readonly #flying = new Set<Promise<void>>();
  #bytes = 0;
  #messages = 0;
  /** Wakes the one sender that waits for room. */
  #landed: () => void = () => undefined;
  #failure: unknown;
  #failed = false;

  /**
   * @param onFailure called once, at the first failure: whoever waits for the next message can stop waiting
   */
  constructor(limits: { readonly messagesMax: number; readonly bytesMax: number }, onFailure: () => void) {
    this.#messagesMax = limits.messagesMax;
    this.#bytesMax = limits.bytesMax;
    this.#onFailure = onFailure;
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
    if (takesBatches && messages.length >= batchLimits.messagesMin) {
      const bytes = messages.reduce((sum, { data }) => sum + data.length, 0);
      return this.#send(bytes, batchLimits.messagesMin, () => appendBatch(connection, sequence, messages));
    }
    for (const [index, { subject, data }] of messages.entries()) {
      const append = () => appendAt(connection, subject, sequence + index, data);
      if (!(await this.#send(data.length, 1, append))) return false;
    }
    return true;
  }

  /**
   * Starts an append as soon as there is room for it. One sender at a time.
   *
   * @param weight as how many messages it counts
   * @returns false when an earlier append has failed: nothing was started
   */
  async #send(bytes: number, weight: number, append: () => Promise<void>): Promise<boolean> {
    while (!this.#failed && this.#isFull(bytes, weight)) {
      await new Promise<void>((resolve) => {
        this.#landed = resolve;
      });
    }
    if (this.#failed) return false;
    this.#bytes += bytes;
    this.#messages += weight;
    const flying = append()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#bytes -= bytes;
        this.#messages -= weight;
        this.#flying.delete(flying);
        this.#landed();
      });
    this.#flying.add(flying);
    return true;
  }

  /** Resolves when nothing is on its way any more; never rejects. */
  async drain(): Promise<void> {
    await Promise.all(this.#flying);
  }

  /** What is larger than the whole limit goes alone. */
  #isFull(bytes: number, weight: number): boolean {
    if (this.#flying.size === 0) return false;
    return this.#messages + weight > this.#messagesMax || this.#bytes + bytes > this.#bytesMax;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
    this.#onFailure();
  }
}
