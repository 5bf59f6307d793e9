import type { StreamReport } from "#proto/qalqan/events/v1/sync.ts";

/** After PostgreSQL was put back regions have so long to say what they have: three of their heartbeats (ms). */
const hearMsMax = 15_000;
/**
 * So long beside an empty hub: it knows nothing of them, and their lanes are
 * first filled up (ms). `npx qalqan restore` waits 120 s for the capital
 * (services/cli/backups/site.ts).
 */
const hearEmptyMsMax = 100_000;

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

/** How the regions were heard since PostgreSQL was put back. */
export interface Hearing {
  /** The hub has nothing of NATIONAL: its store is lost. */
  readonly isHubEmpty: boolean;
  /** So many regions have said what they have now. */
  readonly fresh: number;
  /** How many there are. */
  readonly regions: number;
  readonly waitedMs: number;
}

/**
 * Whether the capital has given the regions time enough to say that it is older
 * than they are. Beside an empty hub it waits for more than half of them, since
 * nobody else can tell.
 */
export function haveHadTheirTime({ isHubEmpty, fresh, regions, waitedMs }: Hearing): boolean {
  return isHubEmpty ? 2 * fresh > regions || waitedMs >= hearEmptyMsMax : waitedMs >= hearMsMax;
}
