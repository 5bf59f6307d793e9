import type { Directive } from "#proto/qalqan/events/v1/events.ts";

/**
 * What a region may say of numbers that only grow and of times. Whoever holds a
 * region's key can write what he likes there: a revision at the end of its
 * range would freeze a directive for ever, and a term that begins in the future
 * would never end.
 */

/** A new revision is at most so far from the known one: lanes overtake each other by one or two. */
const revisionsAheadMax = 100;
/** The first that is heard of something is no later revision than this: it was known before, and is not any more. */
const firstRevisionMax = 1_000;
/** A region's clock may be so far ahead of the hub's before its times are read as the hub's (ms). */
export const clockAheadMaxMs = 600_000;
/** Counters speak of no minute that is further ahead than this of the hub's clock. */
const minutesAheadMax = 24 * 60;

/** @param known the last revision; undefined: nothing is known of it */
export function isFarAhead(revision: number, known: number | undefined): boolean {
  return revision > (known === undefined ? firstRevisionMax : known + revisionsAheadMax);
}

/**
 * The directive with a term that began no later than it was accepted, and than
 * the hub heard of it: what a person decides alone ends, whatever a clock says.
 */
export function inTime(directive: Directive, heardAtMs: number): Directive {
  const { termFromMs, acceptedAtMs } = directive;
  const latest = Math.min(acceptedAtMs, heardAtMs + clockAheadMaxMs);
  return termFromMs <= latest ? directive : { ...directive, termFromMs: latest };
}

/** @param minute minutes since 1970 */
export function isPlausibleMinute(minute: number, heardAtMs: number): boolean {
  return minute >= 0 && minute <= heardAtMs / 60_000 + minutesAheadMax;
}
