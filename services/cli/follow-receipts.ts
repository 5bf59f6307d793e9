import type { BatchView, DirectiveView, EnforcementReceipt } from "#proto/qalqan/centre/v1/centre.ts";
import { isOutage } from "./failure.ts";
import { note } from "./output.ts";
import { pause } from "#platform/lifecycle.ts";

const retryWaitMs = 250;

/** What is waited for: a directive or a batch. */
type View = DirectiveView | BatchView;

/**
 * Follows views until the last one is settled, and says each region's receipt
 * as it arrives.
 *
 * @param open begins the stream of views; the signal ends it
 * @param isCurrent whether a view is of what was asked, and not of an earlier revision
 * @returns the last view and whether it is settled
 */
export async function followReceipts<V extends View>(
  open: (signal: AbortSignal) => AsyncIterable<V>,
  isCurrent: (view: V) => boolean,
  waitMs: number,
  onReceipt: (receipt: EnforcementReceipt) => void,
): Promise<{ view: V | undefined; settled: boolean }> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), waitMs);
  const told = new Set<string>();
  let last: V | undefined;
  try {
    while (!abort.signal.aborted) {
      for await (const view of answered(open(abort.signal))) {
        if (!isCurrent(view)) continue;
        last = view;
        for (const receipt of view.receipts) {
          if (receipt.state !== "enforced" || told.has(receipt.region)) continue;
          told.add(receipt.region);
          onReceipt(receipt);
        }
        if (view.settled) return { view, settled: true };
      }
      await pause(retryWaitMs, abort.signal);
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return { view: last, settled: false };
}

/** Ends where the service goes away: it comes back, and is asked again until the wait is over. */
async function* answered<V>(views: AsyncIterable<V>): AsyncGenerator<V> {
  try {
    yield* views;
  } catch (error) {
    if (!isOutage(error)) throw error;
  }
}

/** One receipt as it arrives: `  almaty  enforced  2026-03-01T10:00:00.012Z  12 ms`. */
export function receiptLine(receipt: EnforcementReceipt): string {
  const at = new Date(receipt.enforcedAtMs).toISOString();
  const after = receipt.milliseconds >= 0 ? `  ${receipt.milliseconds} ms` : "";
  return `  ${receipt.region.padEnd(18)}  enforced  ${at}${after}`;
}

/** Regions that were not heard from do not hold a wait up; they are named. */
export function noteCutOff(receipts: readonly EnforcementReceipt[]): void {
  const regions = receipts.filter(({ state }) => state === "cut-off").map(({ region }) => region);
  if (regions.length > 0) note(`cut off, will enforce it when they are back: ${regions.join(", ")}`);
}

/**
 * Ends a wait in vain: the answer is given all the same, the exit code is 1,
 * and who is missing is named.
 */
export function endInVain(receipts: readonly EnforcementReceipt[], seconds: number): void {
  const waiting = receipts.filter(({ state }) => state === "waiting").map(({ region }) => region);
  const who = waiting.length === 0 ? "no region has answered" : `still missing: ${waiting.join(", ")}`;
  note(`error: after ${seconds} s it is not enforced everywhere; ${who}`);
  note(
    "  what to do: it stays accepted; `qalqan directive show` says when they enforce it, `qalqan status` why not",
  );
  process.exitCode = 1;
}
