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
  readonly region: string;
  /** Last message that it says it has. */
  readonly last: number;
  /** The capital's newest seal that it shows; undefined: none. */
  readonly seal: Seal | undefined;
}

/** NATIONAL as the capital seals it. */
const national = { stream: "national", site: capital } as const;

/** What a region's heartbeat says of NATIONAL; undefined: nothing. */
export function claimOf(
  { region, streams, nationalSeal: seal }: Shown,
  capitalEpoch: number,
): Claim | undefined {
  const held = streams.find(({ stream, epoch }) => stream === "NATIONAL" && epoch === capitalEpoch);
  return held === undefined ? undefined : { region, last: held.last, seal };
}

interface Shown {
  readonly region: string;
  readonly streams: readonly StreamReport[];
  readonly nationalSeal: Seal | undefined;
}

/** By what a seal of the capital's is known. */
export interface NationalChain {
  readonly epoch: number;
  /** Of all sites, the capital's among them. */
  readonly keys: SealKeys;
  /** Key of the capital's own newest seal; empty: it has none. What comes later is signed with no key before that. */
  readonly keyId: string;
}

/** Who has more of NATIONAL than the capital. */
export interface Further {
  /** Those who prove it, or say so together. */
  readonly regions: readonly string[];
  /** Last message of NATIONAL that they have. */
  readonly last: number;
}

/**
 * Whether the capital is older than the nation, and by whom it is known:
 * PostgreSQL and the hub both came back from older copies, agree with each
 * other, and would give numbers anew that regions have already applied. A seal
 * of the capital's own over later messages proves it, whoever shows it. Without
 * one two regions at least, and more than half of all, must say so: one alone
 * may lie, and a nation of one region too. A seal stops the capital also after
 * it has gone on with another history than that region has: what the capital's
 * own people decided in it is in no lane, and only a person can say which of
 * the two shall be.
 *
 * @param claims what each region says of NATIONAL
 * @param regions how many there are
 * @param committed last message that the capital knows
 * @returns undefined: it is not
 */
export function furtherThan(
  claims: readonly Claim[],
  regions: number,
  committed: number,
  chain: NationalChain,
): Further | undefined {
  const saying = claims.filter(({ last }) => last > committed).length;
  const areBelieved = saying >= saidByMin && 2 * saying > regions;
  const further = claims.flatMap(({ region, last, seal }) => {
    const isProven = seal !== undefined && seal.last > committed && isOfCapital(seal, chain);
    if (isProven) return { region, last: Math.max(last, seal.last) };
    return areBelieved && last > committed ? { region, last } : [];
  });
  if (further.length === 0) return undefined;
  return {
    regions: further.map(({ region }) => region).toSorted(),
    last: Math.max(...further.map(({ last }) => last)),
  };
}

/** Whether the capital signed it, with no key that it had given up before its own newest seal. */
function isOfCapital(seal: Seal, { epoch, keys, keyId }: NationalChain): boolean {
  if (keys.orderOf(capital, seal.keyId) < keys.orderOf(capital, keyId)) return false;
  return judgeSeal(seal, { ...national, epoch }, undefined, keys) === undefined;
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
