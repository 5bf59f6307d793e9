import { trimUpTo, type Retained } from "#domain/retention.ts";

/** A stream of the region, without what says how far it is done with. */
export type RegionStreamState = Omit<Retained, "done">;

/**
 * A lane: what the hub has. The region's own readers find the rest of the way
 * elsewhere: screening loads its overlay from centre, centre has PostgreSQL.
 */
export function trimLane(lane: RegionStreamState, hubLast: number) {
  return trimUpTo({ ...lane, done: Math.min(hubLast, lane.last) });
}

/**
 * The copy of NATIONAL: up to the region's own snapshot, from which whoever
 * needs earlier messages goes on.
 *
 * @param snapshot its sequence; undefined: the region has none
 */
export function trimNational(copy: RegionStreamState, snapshot: number | undefined) {
  return trimUpTo({ ...copy, aged: copy.last, done: snapshot ?? 0 });
}

/** The copy of FOR: what is old; centre reads it as it comes. */
export function trimForRegion(copy: RegionStreamState) {
  return trimUpTo({ ...copy, isFull: false, done: copy.last });
}
