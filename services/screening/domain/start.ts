/** Ends of the region's streams as they were read: ready when all are reached. */
export interface StartEnds {
  readonly national: number;
  readonly events: number;
  readonly urgent: number;
}

/** How far a replica is, and what it may go by, while it starts. */
export interface Start {
  /** The overlay is the region's own, not the empty one of a first start. */
  readonly hasOverlay: boolean;
  /** Undefined: the region's streams have not been read. */
  readonly ends: StartEnds | undefined;
  readonly reached: StartEnds;
  /** The table came from a file that this replica wrote while it was ready. */
  readonly hasOwnTable: boolean;
  /** Sequence of NATIONAL in the first heartbeat of the capital that was heard; undefined: none was. */
  readonly capital: number | undefined;
  /** The capital has had its time to be heard. */
  readonly isCapitalSilent: boolean;
}

/**
 * What a replica waits for before it is ready; empty: nothing.
 *
 * A replica without a table of its own goes by the capital's word, because the
 * copy of a new region is empty, or half of what it will be, while nobody has
 * filled it. Where the capital is silent a copy that holds something is all that
 * the region has; an empty one proves nothing.
 */
export function waitsFor(start: Start): string {
  const { hasOverlay, ends, reached, hasOwnTable, capital, isCapitalSilent } = start;
  if (!hasOverlay) return "the overlay from centre";
  if (ends === undefined) return "the region's streams";
  if (!hasOwnTable && capital === undefined) {
    if (ends.national === 0 && reached.national === 0)
      return "the capital's first word: this region has no national table yet; if that lasts, mend the line to the capital (`npx qalqan status` shows it)";
    if (!isCapitalSilent) return "the capital's word how far NATIONAL is";
  }
  const national = hasOwnTable ? ends.national : Math.max(ends.national, capital ?? 0);
  const isThere =
    reached.national >= national && reached.events >= ends.events && reached.urgent >= ends.urgent;
  if (isThere) return "";
  return `NATIONAL ${reached.national} of ${national}, EVENTS ${reached.events} of ${ends.events}, URGENT ${reached.urgent} of ${ends.urgent}`;
}
