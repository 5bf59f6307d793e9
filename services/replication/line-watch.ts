import { pause } from "#platform/lifecycle.ts";
import { isNobodyThere, onDisconnect } from "#platform/nats.ts";
import type { AppendWindow } from "./append-window.ts";
import { stateOf, type Side } from "./compare.ts";
import { idleLookMs, lineLookMs, unansweredMaxMs } from "./config.ts";

/**
 * Ends a window whose appends will not be answered any more, so that the next
 * attempt begins as soon as the other end is there again: an acknowledgement
 * itself may take long on a slow line, and is waited for as long as the other
 * end is only slow. While nothing is on its way, it looks whether the other end
 * still is where it was: it may come back with an older store. Runs until the
 * signal.
 *
 * @param heard is told where the other end is
 */
export async function watchLine(
  side: Side,
  window: AppendWindow,
  heard: (last: number) => void,
  over: AbortSignal,
): Promise<void> {
  const forget = onDisconnect(side.connection, () => window.fail(new Error("the connection was lost")));
  let lookedAtMs = performance.now();
  try {
    while (!over.aborted) {
      if (window.unansweredMs > 0) await pause(lineLookMs, over);
      else await window.begun.wait(idleLookMs, over);
      if (over.aborted) break;
      const waitedMs = window.unansweredMs;
      const isIdle = waitedMs === 0 && performance.now() - lookedAtMs >= idleLookMs;
      if (!isIdle && waitedMs < lineLookMs) continue;
      lookedAtMs = performance.now();
      try {
        const stored = window.stored;
        const { last } = await stateOf(side);
        heard(last);
        if (last < stored) window.fail(new Error(`the other end is at ${last}, and was at ${stored}`));
        // What was asked later was answered: the appends, or their answers, were lost on the way.
        if (waitedMs >= unansweredMaxMs && window.unansweredMs >= unansweredMaxMs) {
          window.fail(new Error(`an append was not answered for ${Math.round(window.unansweredMs)} ms`));
        }
      } catch (error) {
        // Nobody is there: the line is cut, or the other end is down. Silence alone may be a slow line.
        if (isNobodyThere(error)) window.fail(error);
      }
    }
  } finally {
    forget();
  }
}
