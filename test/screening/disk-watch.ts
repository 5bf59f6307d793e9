import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** How long this machine's disk takes at most to have something stored, while others use it too. */
export class DiskWatch {
  #slowestMs = 0;
  #ends = false;
  readonly #watching: Promise<void>;

  /** @param file on that disk, which is written */
  constructor(file: string) {
    this.#watching = this.#watch(file);
  }

  async #watch(file: string): Promise<void> {
    await using written = await open(file, "a");
    while (!this.#ends) {
      const beganMs = performance.now();
      await written.appendFile(".");
      await written.sync();
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - beganMs);
      await sleep(20);
    }
  }

  /** Ends watching. @returns the longest that it took (ms) */
  async end(): Promise<number> {
    this.#ends = true;
    await this.#watching;
    return this.#slowestMs;
  }
}
