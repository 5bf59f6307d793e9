import { batchLimits } from "#platform/append.ts";
import type { CopiedMessage } from "#platform/batch-get.ts";
import { Wake } from "#platform/lifecycle.ts";

/**
 * Messages that the hub republished, waiting for their turn, in order of
 * arrival. Bounded: when it is full the oldest goes, which shows as a gap and
 * is fetched.
 */
export class LiveMessages {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #messages: CopiedMessage[] = [];
  #bytes = 0;
  readonly wake = new Wake();

  constructor(limits: { readonly messagesMax: number; readonly bytesMax: number }) {
    this.#messagesMax = limits.messagesMax;
    this.#bytesMax = limits.bytesMax;
  }

  push(message: CopiedMessage): void {
    this.#messages.push(message);
    this.#bytes += message.data.length;
    while (this.#messages.length > this.#messagesMax || this.#bytes > this.#bytesMax) this.#shift();
    this.wake.notify();
  }

  /** The messages from that sequence on, without a gap, if it is the next one waiting; earlier ones are dropped. */
  take(sequence: number): CopiedMessage[] {
    while ((this.#messages[0]?.sequence ?? sequence) < sequence) this.#shift();
    const taken: CopiedMessage[] = [];
    for (let next = sequence; this.#messages[0]?.sequence === next; next += 1) {
      if (taken.length >= batchLimits.messagesMax) break;
      const message = this.#shift();
      if (message !== undefined) taken.push(message);
    }
    return taken;
  }

  /** Something waits that is later than what was asked for last: there is a gap before it. */
  get waiting(): boolean {
    return this.#messages.length > 0;
  }

  #shift(): CopiedMessage | undefined {
    const first = this.#messages.shift();
    this.#bytes -= first?.data.length ?? 0;
    return first;
  }
}
