/**
 * What replication does with one stream that is kept at two ends: pure, so that
 * the services and the simulation decide alike.
 */

/** `up`: the region's lane is copied to the hub. `down`: the hub's stream is copied to the region. */
export type Direction = "up" | "down";

/** First and last sequence that one end keeps. It keeps nothing: `first` is `last + 1`. */
export interface StreamEnd {
  readonly first: number;
  readonly last: number;
}

/** Sequences from `from` to `to`, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Whether the messages that both ends keep, as far as they were compared, are the same; `unknown`: there is none. */
export type Agreement = "same" | "differ" | "unknown";

/** Why a lane cannot go on in its epoch: the words of `EpochOpened.why`. */
export type ForkWhy =
  /** The region's stream is empty, the hub has messages of it. */
  | "store-lost"
  /** The region's stream is older than the hub's, and the hub no longer keeps what is missing. */
  | "store-restored"
  /** Both hold something else under one sequence. */
  | "diverged";

export type CopyPlan =
  /** Append the source's messages to the target, from this one on. */
  | { readonly kind: "copy"; readonly from: number }
  /** The target is new: let it begin at the source's first message. */
  | { readonly kind: "begin"; readonly at: number }
  /** The region's own stream lost its end: append the hub's messages to it. */
  | ({ readonly kind: "refill" } & Range)
  /** The source ends before the target; whoever writes it will fill it up. */
  | { readonly kind: "wait"; readonly why: string }
  | { readonly kind: "fork"; readonly why: ForkWhy; readonly detail: string }
  /** The source no longer keeps these messages, which the target needs. */
  | ({ readonly kind: "gap" } & Range);

/**
 * @param source the end that the messages come from: the region's for `up`, the hub's for `down`
 * @param target the end that they are copied to
 * @param agree what comparing the newest common messages gave (compareRange)
 */
export function planCopy(
  direction: Direction,
  source: StreamEnd,
  target: StreamEnd,
  agree: Agreement,
): CopyPlan {
  if (agree === "differ") {
    const detail = `region and hub hold different messages, both under numbers up to ${Math.min(source.last, target.last)}`;
    return { kind: "fork", why: "diverged", detail };
  }
  if (target.last > source.last) {
    return direction === "up" ? planBehind(source, target) : waitForSource(source, target);
  }
  const from = target.last + 1;
  if (source.first <= from) return { kind: "copy", from };
  // A copy that never held anything misses nothing; a hub that lost a lane's beginning does.
  if (direction === "down" && target.last === 0) return { kind: "begin", at: source.first };
  return { kind: "gap", from, to: source.first - 1 };
}

/** The region's own lane ends before its copy at the hub. */
function planBehind(region: StreamEnd, hub: StreamEnd): CopyPlan {
  const from = region.last + 1;
  // Every producer of an empty store begins at its first number again: there is no history to go on with.
  if (region.last === 0) {
    return {
      kind: "fork",
      why: "store-lost",
      detail: `the region holds nothing, the hub ends at ${hub.last}`,
    };
  }
  if (hub.first <= from) return { kind: "refill", from, to: hub.last };
  const detail = `the region ends at ${region.last}, the hub keeps messages from ${hub.first} on`;
  return { kind: "fork", why: "store-restored", detail };
}

function waitForSource(hub: StreamEnd, copy: StreamEnd): CopyPlan {
  return { kind: "wait", why: `the hub ends at ${hub.last}, the region has message ${copy.last}` };
}

/**
 * The newest messages that both ends keep.
 *
 * @param most how many of them; undefined: all
 * @returns undefined when there is none
 */
export function compareRange(one: StreamEnd, other: StreamEnd, most?: number): Range | undefined {
  const to = Math.min(one.last, other.last);
  const kept = Math.max(one.first, other.first, 1);
  const from = most === undefined ? kept : Math.max(kept, to - most + 1);
  return from <= to ? { from, to } : undefined;
}
