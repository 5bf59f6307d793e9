import type { Range, StreamEnd } from "./copy.ts";
import { compareRange } from "./copy.ts";

/**
 * The search for the last message up to which two forked ends hold the same
 * history. It goes down from their newest common message, because what differs
 * is young, and ends below so many equal messages in a row: histories can agree
 * again by chance at one sequence, not at so many.
 */
export interface PrefixSearch {
  /** The oldest message that both ends keep. */
  readonly bottom: number;
  /** Everything above was compared. */
  readonly next: number;
  /** Lowest sequence that differs; undefined: none was found. */
  readonly lowestDiffering: number | undefined;
  /** What both have in common when nothing differs. */
  readonly top: number;
}

/** Equal messages in a row below which nothing differs any more. */
export const equalRunMin = 256;

export function beginSearch(one: StreamEnd, other: StreamEnd): PrefixSearch {
  const range = compareRange(one, other);
  const top = Math.min(one.last, other.last);
  return { bottom: range?.from ?? top + 1, next: top, lowestDiffering: undefined, top };
}

/** The sequences to compare next; undefined: the search is over. */
export function nextToCompare({ bottom, next, lowestDiffering }: PrefixSearch): Range | undefined {
  if (next < bottom) return undefined;
  if (lowestDiffering !== undefined && lowestDiffering - 1 - next >= equalRunMin) return undefined;
  return { from: Math.max(bottom, next - equalRunMin + 1), to: next };
}

/**
 * @param range what nextToCompare gave
 * @param differing the sequences of it under which the ends hold different bytes
 */
export function compared(search: PrefixSearch, range: Range, differing: readonly number[]): PrefixSearch {
  const lowest = Math.min(search.lowestDiffering ?? Infinity, ...differing);
  return {
    ...search,
    next: range.from - 1,
    lowestDiffering: Number.isFinite(lowest) ? lowest : undefined,
  };
}

/** Last sequence of the common history, as far as the search has come. */
export function commonPrefix({ lowestDiffering, top }: PrefixSearch): number {
  return lowestDiffering === undefined ? top : lowestDiffering - 1;
}
