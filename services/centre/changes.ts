import { translateError } from "#platform/errors.ts";
import { pause, Wake } from "#platform/lifecycle.ts";

/** Whoever waits for the end of something is told it this much later at most (ms). */
const restMsMax = 5_000;

export interface WatchOptions {
  /** How long to wait when nothing is announced. */
  readonly pollMs: number;
  /**
   * Reads take at most this share of the time, or more where the rest would be
   * too long: who looks at a long import must not slow it down.
   */
  readonly shareMax: number;
  readonly signal: AbortSignal;
}

/**
 * Tells those who watch a view that something may have changed. What changed
 * is not said: they read again, and many notices in between are one.
 */
export class Changes {
  readonly #watchers = new Set<Wake>();

  notify(): void {
    for (const watcher of this.#watchers) watcher.notify();
  }

  /**
   * Gives what `read` gives, at once and whenever it is another, until the
   * signal. Once it has begun it waits through outages of the database.
   */
  async *watch<View>(read: () => Promise<View>, options: WatchOptions): AsyncGenerator<View> {
    const wake = new Wake();
    this.#watchers.add(wake);
    try {
      let seen: string | undefined;
      while (!options.signal.aborted) {
        const beganMs = performance.now();
        const view = await read().catch((error: unknown) => {
          if (seen === undefined || translateError(error).detail.code !== "unavailable") throw error;
          return undefined;
        });
        const tookMs = performance.now() - beganMs;
        const text = view === undefined ? seen : JSON.stringify(view);
        if (view !== undefined && text !== seen) {
          seen = text;
          yield view;
        }
        // A read that failed says nothing of what one costs.
        const restMs = view === undefined ? 0 : tookMs * (1 / options.shareMax - 1);
        if (restMs > 0) await pause(Math.min(restMs, restMsMax), options.signal);
        await wake.wait(options.pollMs, options.signal);
      }
    } finally {
      this.#watchers.delete(wake);
    }
  }
}
