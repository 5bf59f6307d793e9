import type { StreamReport } from "#proto/qalqan/events/v1/sync.ts";

/** Last message of NATIONAL that a region says it has; undefined: it does not say. */
export function heldOf(streams: readonly StreamReport[], capitalEpoch: number): number | undefined {
  return streams.find(({ stream, epoch }) => stream === "NATIONAL" && epoch === capitalEpoch)?.last;
}

/**
 * Whether the capital is older than the nation: PostgreSQL and the hub both
 * came back from older copies, agree with each other, and would give numbers
 * anew that regions have already applied. More than half of all regions must
 * say so: one alone may lie.
 *
 * @param held what each region says it has of NATIONAL
 * @param regions how many there are
 * @param committed last message that the capital knows
 */
export function isOlderThanNation(held: readonly number[], regions: number, committed: number): boolean {
  return 2 * held.filter((last) => last > committed).length > regions;
}
