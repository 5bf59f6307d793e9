/** What one leg measured, beside its limit and a peer in the same run. */
export interface SyncLeg {
  readonly name: string;
  readonly measured: number;
  readonly unit: string;
  readonly limit: number;
  /** Whether the limit is to be reached or not to be passed. */
  readonly limitIs: "at least" | "at most";
  /** Somebody else who did the same job in the same run. */
  readonly peer?: { readonly name: string; readonly measured: number };
  /** What else is worth knowing, in one line. */
  readonly note?: string;
}

/** Sizes of a run: 1 is what the limits are meant for. */
export interface SyncSize {
  readonly scale: number;
}

/** Measured over limit: 1 or more is good where at least so much is wanted, 1 or less where at most. */
export function ratioOf({ measured, limit }: SyncLeg): number {
  return measured / limit;
}

export function isMet(leg: SyncLeg): boolean {
  return leg.limitIs === "at least" ? ratioOf(leg) >= 1 : ratioOf(leg) <= 1;
}

/** One line for people. */
export function shownLeg(leg: SyncLeg): string {
  const { name, measured, unit, limit, limitIs, peer, note } = leg;
  const number = (value: number) =>
    value >= 1_000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(value < 10 ? 2 : 1);
  const beside = peer === undefined ? "" : `; ${peer.name}: ${number(peer.measured)} ${unit}`;
  const more = note === undefined ? "" : `; ${note}`;
  const verdict = isMet(leg) ? "met" : "missed";
  return `${name}: ${number(measured)} ${unit}, limit ${limitIs} ${number(limit)}, ratio ${ratioOf(leg).toFixed(2)}, ${verdict}${beside}${more}`;
}
