import type { CopiedMessage } from "#platform/batch-get.ts";
import { Wake } from "#platform/lifecycle.ts";

/**
 * Messages that the hub republished, waiting for their turn, in order of
 * arrival. Bounded: when it is full the oldest goes, which shows as a gap and
 * is fetched.
 */
export class LiveMessages {
  readonly #messagesMax: number;
  #messages: CopiedMessage[] = [];
  readonly wake = new Wake();

  constructor(messagesMax: number) {
    this.#messagesMax = messagesMax;
  }

  push(message: CopiedMessage): void {
    if (this.#messages.length >= this.#messagesMax) this.#messages.shift();
    this.#messages.push(message);
    this.wake.notify();
  }

  /** The message with that sequence if it is the next one waiting; earlier ones are dropped. */
  take(sequence: number): CopiedMessage | undefined {
    const from = this.#messages.findIndex((message) => message.sequence >= sequence);
    this.#messages = from < 0 ? [] : from === 0 ? this.#messages : this.#messages.slice(from);
    if (this.#messages[0]?.sequence !== sequence) return undefined;
    return this.#messages.shift();
  }

  /** Something waits that is later than what was asked for last: there is a gap before it. */
  get waiting(): boolean {
    return this.#messages.length > 0;
  }
}
