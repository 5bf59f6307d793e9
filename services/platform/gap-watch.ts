import { streamRange } from "./batch-get.ts";
import { StreamGap } from "./follow.ts";
import { pause } from "./lifecycle.ts";
import type { NatsConnection } from "./nats.ts";

/** How often the beginning of a stream is looked at (ms) … */
const lookEveryMs = 2_500;
/** … and by whom has nothing yet: a new region waits for its first snapshot (ms). */
const firstLookEveryMs = 100;

/**
 * Looks now and then whether a stream still reaches back to what its reader
 * needs next. A copy that was moved to a snapshot may bring nothing for hours,
 * and without a message `follow` sees no gap.
 *
 * @param reached last sequence that the reader has
 * @returns the gap; undefined when the signal aborts
 */
export async function watchForGap(
  connection: NatsConnection,
  stream: string,
  reached: () => number,
  signal: AbortSignal,
): Promise<StreamGap | undefined> {
  while (await pause(reached() === 0 ? firstLookEveryMs : lookEveryMs, signal)) {
    try {
      const { first } = await streamRange(connection, `$JS.API.STREAM.INFO.${stream}`);
      if (first > reached() + 1) return new StreamGap(stream, reached() + 1, first);
    } catch {
      // The server is away: it is asked again.
    }
  }
  return undefined;
}
