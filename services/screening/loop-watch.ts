const tickMs = 100;

/** How late this process is: a switch that waits in its queue is better served by an `allow` now. */
export class LoopWatch {
  readonly #timer: NodeJS.Timeout;
  #tickedAtMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => (this.#tickedAtMs = performance.now()), tickMs);
    this.#timer.unref();
  }

  /** By how much the next tick is overdue (ms); 0 while all is well. */
  get lagMs(): number {
    return Math.max(0, performance.now() - this.#tickedAtMs - tickMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
