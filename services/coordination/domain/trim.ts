import { trimUpTo, type Retained } from "#domain/retention.ts";

/** A stream of the hub, without what says how far it is done with. */
export type HubStreamState = Omit<Retained, "done">;

/**
 * A lane of a region: what is applied, and archived. While there is no archive
 * the hub's copy is the evidence, and only what is older than the retention goes.
 *
 * @param archived last message in the archive; undefined: there is no archive
 */
export function trimLane(lane: HubStreamState, applied: number, archived: number | undefined) {
  return trimUpTo({ ...lane, done: Math.min(applied, archived ?? applied) });
}

/**
 * NATIONAL: up to the last snapshot but one, so that a region which has just
 * begun with that one finds what comes after it, and what is archived.
 *
 * @param snapshots sequences of the complete snapshots, the newest first
 * @param archived last message in the archive; undefined: there is no archive
 */
export function trimNational(
  national: HubStreamState,
  snapshots: readonly number[],
  archived: number | undefined,
) {
  const covered = snapshots[1] ?? 0;
  return trimUpTo({ ...national, done: Math.min(covered, archived ?? covered) });
}

/**
 * FOR of a region: what the region has, as it said itself.
 *
 * @param held last message of its copy; undefined: it has not said
 */
export function trimForRegion(forRegion: HubStreamState, held: number | undefined) {
  return trimUpTo({ ...forRegion, done: held ?? 0 });
}
