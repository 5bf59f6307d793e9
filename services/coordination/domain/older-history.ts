import { judgeSeal, type Seal, type SealKeys } from "#domain/seal.ts";
import { capital } from "#domain/vocabulary.ts";
import type { StreamReport } from "#proto/qalqan/events/v1/sync.ts";

/** So many regions that prove nothing are believed at least. */
const saidByMin = 2;

/** After PostgreSQL was put back regions have so long to say what they have: three of their heartbeats (ms). */
const hearMsMax = 15_000;
/**
 * So long beside an empty hub: it knows nothing of them, and their lanes are
 * first filled up (ms). `npx qalqan restore` waits 120 s for the capital
 * (services/cli/backups/site.ts).
 */
const hearEmptyMsMax = 100_000;

/** How far a region says that NATIONAL goes. */
export interface Claim {
  /** Last message that it says it has. */
  readonly last: number;
  /** The capital's newest seal that it shows; undefined: none. */
  readonly seal: Seal | undefined;
}

/** NATIONAL as the capital seals it. */
const national = { stream: "national", site: capital } as const;

/** What a region's heartbeat says of NATIONAL; undefined: nothing. */
export function claimOf({ streams, nationalSeal: seal }: Shown, capitalEpoch: number): Claim | undefined {
  const held = streams.find(({ stream, epoch }) => stream === "NATIONAL" && epoch === capitalEpoch);
  return held === undefined ? undefined : { last: held.last, seal };
}

interface Shown {
  readonly streams: readonly StreamReport[];
  readonly nationalSeal: Seal | undefined;
}

/**
 * Whether the capital is older than the nation: PostgreSQL and the hub both
 * came back from older copies, agree with each other, and would give numbers
 * anew that regions have already applied. A seal of the capital's own over
 * later messages proves it, whoever shows it. Without one two regions at least,
 * and more than half of all, must say so: one alone may lie, and a nation of
 * one region too.
 *
 * @param claims what each region says of NATIONAL
 * @param regions how many there are
 * @param committed last message that the capital knows
 * @param keys of the capital
 */
export function isOlderThanNation(
  claims: readonly Claim[],
  regions: number,
  committed: number,
  { epoch, keys }: { readonly epoch: number; readonly keys: SealKeys },
): boolean {
  const further = claims.filter(({ last }) => last > committed).length;
  if (further >= saidByMin && 2 * further > regions) return true;
  return claims.some(
    ({ seal }) =>
      seal !== undefined &&
      seal.last > committed &&
      judgeSeal(seal, { ...national, epoch }, undefined, keys) === undefined,
  );
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
