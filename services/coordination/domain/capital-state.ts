import type { NationalStop, ProtectedNumber } from "#domain/national-rows.ts";
import { directionOverrides } from "#domain/setting-order.ts";
import type { StandingContext } from "#domain/standing.ts";
import { trunkDirections, type TrunkDirection } from "#domain/trunk.ts";
import type { Lane } from "#proto/names.ts";
import type { Approval } from "#proto/qalqan/events/v1/events.ts";
import type { LaneMove } from "./changes.ts";
import { RecentDigests, RegionKnowledge } from "./nation.ts";
import { Refusals } from "#domain/refusals.ts";

/** What stood in a lane is remembered so often (ms): so much is read again at least where a hub came back older. */
const markEveryMs = 60_000;

/** A lane of a region in one epoch, as a key. */
export function laneName({
  region,
  lane,
  epoch,
}: {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
}): string {
  return `${region} ${lane} ${epoch}`;
}

/** Directions of trunks as the regions say them. */
export class TrunkDirections {
  readonly #trunks = new Map<string, Map<string, { revision: number; direction: string }>>();

  /** False: what is known of the trunk counts before it, or is the same. */
  isNews(region: string, trunk: string, revision: number, direction: string): boolean {
    const known = this.#trunks.get(trunk)?.get(region);
    return known === undefined || directionOverrides({ revision, direction }, known);
  }

  /** The last revision that a region said of a trunk. */
  revisionOf(region: string, trunk: string): number | undefined {
    return this.#trunks.get(trunk)?.get(region)?.revision;
  }

  set(region: string, trunk: string, revision: number, direction: string): void {
    const regions = this.#trunks.get(trunk) ?? new Map<string, { revision: number; direction: string }>();
    this.#trunks.set(trunk, regions.set(region, { revision, direction }));
  }

  /** Undefined where it is not known or where regions differ: then powers are the narrower ones. */
  directionOf(trunk: string): TrunkDirection | undefined {
    const said = new Set([...(this.#trunks.get(trunk)?.values() ?? [])].map(({ direction }) => direction));
    const [only] = said;
    return said.size === 1 ? trunkDirections.find((direction) => direction === only) : undefined;
  }
}

/** How far a lane is to be read again, and was read. */
interface ToRead {
  readonly upTo: number;
  readonly at: number;
}

/**
 * What the leader knows without asking PostgreSQL. It is loaded at start and
 * changed only after a step was committed, so it never runs ahead of it.
 */
export class CapitalState {
  /** Last message of NATIONAL that is committed. */
  sequence = 0;
  /** Digest of the national table there, 32 bytes. */
  digest: Uint8Array = new Uint8Array(32);
  /** Sequence that the latest heartbeat told. */
  heartbeat = 0;
  introduced = 0;
  expiry = { ms: 0, directive: "" };
  readonly trunks = new TrunkDirections();
  readonly protectedNumbers = new Map<string, ProtectedNumber>();
  stop: NationalStop | undefined;
  readonly revokedBatches = new Set<string>();
  readonly regions = new Map<string, RegionKnowledge>();
  readonly digests = new RecentDigests();
  /** What was refused of what came up, and by the hub. */
  readonly refusals = new Refusals();
  /** Last message of each FOR_<region> that is committed. */
  readonly forSequences = new Map<string, number>();

  readonly #markedAtMs = new Map<string, number>();
  /** Lanes that are read again after PostgreSQL came back older, and how far. */
  readonly #toRead = new Map<string, ToRead>();

  /** Whether what stands in a lane is to be remembered now; then it is, for a while. */
  isMarkDue(lane: string, nowMs: number): boolean {
    const markedAtMs = this.#markedAtMs.get(lane);
    // A clock that was set back must not end it.
    if (markedAtMs !== undefined && Math.abs(nowMs - markedAtMs) < markEveryMs) return false;
    this.#markedAtMs.set(lane, nowMs);
    return true;
  }

  /** @param lane is to be read up to that message before anything is folded, and was read up to `at` */
  mustRead(lane: string, upTo: number, at: number): void {
    this.#toRead.set(lane, { upTo, at });
  }

  /**
   * Lanes were read so far. What the hub did not have of an epoch when the region
   * opened the next never comes in that epoch: the region has fed it into the new one.
   */
  haveMoved(moves: readonly LaneMove[]): void {
    for (const { opened, to, ...place } of moves) {
      this.#read(laneName(place), { at: to });
      if (opened !== undefined)
        this.#read(laneName({ ...place, epoch: opened.previousEpoch }), { upTo: opened.hubLast });
    }
  }

  #read(lane: string, { upTo = Infinity, at = 0 }: Partial<ToRead>): void {
    const known = this.#toRead.get(lane);
    if (known === undefined) return;
    const left = { upTo: Math.min(known.upTo, upTo), at: Math.max(known.at, at) };
    if (left.at >= left.upTo) this.#toRead.delete(lane);
    else this.#toRead.set(lane, left);
  }

  /**
   * Opinions that the rows of the table stand for come again with the lanes.
   * Folding some of them before the others would drop what the others support.
   */
  get isReadingAgain(): boolean {
    return this.#toRead.size > 0;
  }

  /** What was to be read again does not come: it is not waited for any more. */
  readEnough(): void {
    this.#toRead.clear();
  }

  /** Knows the region from now on. */
  region(region: string, nowMs: number): RegionKnowledge {
    const known = this.regions.get(region);
    if (known !== undefined) return known;
    const created = new RegionKnowledge(region, nowMs);
    this.regions.set(region, created);
    return created;
  }

  /** Message `sequence` is committed. */
  moved(sequence: number, digest: Uint8Array): void {
    this.sequence = sequence;
    this.digest = digest;
    this.digests.add(sequence, digest);
  }

  /** What the fold has to know about the rest of the nation. */
  foldContext(nowMs: number, approvals: readonly Approval[]): StandingContext {
    const byDirective = group(approvals, ({ directive }) => directive);
    const byBatch = group(
      approvals.filter(({ directive }) => directive === ""),
      ({ batch }) => batch,
    );
    return {
      nowMs,
      approvalsOf: (directive, revision, batch) => [
        ...(byDirective.get(directive) ?? []).filter((approval) => approval.revision === revision),
        ...(batch === "" ? [] : (byBatch.get(batch) ?? [])),
      ],
      isRevokedBatch: (batch) => this.revokedBatches.has(batch),
      protectedTrunksOf: (number) => this.protectedNumbers.get(number)?.originatesFrom,
      trunkDirection: (trunk) => this.trunks.directionOf(trunk),
    };
  }
}

function group<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [item]);
    else known.push(item);
  }
  return groups;
}
