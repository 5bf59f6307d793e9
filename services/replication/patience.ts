import { StreamSilent } from "#platform/batch-get.ts";
import { isUnanswered } from "#platform/nats.ts";
import { silenceLongestMs, silenceMaxMs } from "./config.ts";

/**
 * How long the hub may be silent before it is asked again. A second, since a
 * question that was lost with the line or with a hub's restart is not answered
 * at all; longer where answers have taken long of late: when twenty regions
 * come back at once, each question that is given up has the hub send its answer
 * for nothing, and takes the others' time.
 */
export class Patience {
  #waitMs = silenceMaxMs;

  /**
   * @param question is told how long its answer may take (ms)
   * @throws what the question throws
   */
  async ask<Answer>(question: (waitMs: number) => Promise<Answer>): Promise<Answer> {
    const askedMs = performance.now();
    try {
      const answer = await question(this.#waitMs);
      this.#waitMs = within(Math.max(2 * (performance.now() - askedMs), this.#waitMs / 2));
      return answer;
    } catch (error) {
      // A refusal comes at once; after silence the hub, or the line, may only be slow.
      if (isUnanswered(error) || error instanceof StreamSilent) this.#waitMs = within(2 * this.#waitMs);
      throw error;
    }
  }
}

function within(waitMs: number): number {
  return Math.min(silenceLongestMs, Math.max(silenceMaxMs, waitMs));
}
