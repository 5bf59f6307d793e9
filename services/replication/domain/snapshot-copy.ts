/** First and last sequence of a stream; an empty one: first = last + 1. */
interface Ends {
  readonly first: number;
  readonly last: number;
}

/** Where the hub's newest complete snapshot lies in its SNAPSHOT. */
export interface SnapshotPlace {
  readonly firstMessage: number;
  /** Its manifest, the last of its messages. */
  readonly manifestMessage: number;
}

export type SnapshotCopyPlan =
  /** The hub has no snapshot. */
  | { readonly kind: "none" }
  /** The copy ends with the newest snapshot. */
  | { readonly kind: "current" }
  /** The copy goes on, with what comes after its last message. */
  | { readonly kind: "continue"; readonly from: number }
  /** The copy is thrown away, and begins with the newest snapshot. */
  | { readonly kind: "anew"; readonly from: number };

/**
 * What is to be done about the region's copy of SNAPSHOT. It can be made anew
 * at any time, so nothing is mended: where both ends do not agree, or the hub
 * has trimmed what comes next, it begins with the newest snapshot. Else it goes
 * on, and the snapshot that it has stays until the newer one is whole.
 *
 * @param here the region's copy
 * @param there the hub's stream
 * @param agrees the copy's last message is the hub's at its sequence, or the copy is empty
 */
export function planSnapshotCopy(
  newest: SnapshotPlace | undefined,
  here: Ends,
  there: Ends,
  agrees: boolean,
): SnapshotCopyPlan {
  if (newest === undefined) return { kind: "none" };
  const next = here.last + 1;
  // A copy that begins within the newest snapshot, or after it, never becomes whole.
  const beginsLate = here.first > newest.firstMessage;
  if (!agrees || beginsLate || next < there.first || here.last > newest.manifestMessage)
    return { kind: "anew", from: newest.firstMessage };
  return next > newest.manifestMessage ? { kind: "current" } : { kind: "continue", from: next };
}
