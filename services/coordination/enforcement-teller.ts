import { replicaSilenceMaxMs } from "#domain/receipts.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import type { Changes } from "./domain/changes.ts";
import type { RegionKnowledge } from "./domain/nation.ts";
import type { RegionBatchesDraft } from "./domain/region-batch.ts";
import { loadDecided, loadNewestDecided, type DecidedItem } from "./store/enforcement.ts";
import type { Database } from "./store/load.ts";

/** A region is told at most ten times a second. */
const tellIntervalMs = 100;
/** A new decision waits so long for the first receipts, which then go into the same message. */
const introduceDelayMs = 30;
/** Items of one step; a message of NATIONAL decides at most 4,000. */
const itemsMax = 5_000;
const cutOffItemsMax = 500;

/**
 * Tells the region of each directive's author since when each region of the
 * nation enforces the capital's decision. The first message about a decision
 * has a row for every region, later ones those that changed; what was told is
 * remembered in the transaction that keeps the message, so nothing is told
 * twice or left out, whenever the process ends.
 */
export class EnforcementTeller {
  readonly #database: Database;
  readonly #state: CapitalState;
  /** Since when a decision waits to be introduced. */
  #introduceSinceMs: number | undefined;
  #toldAtMs = 0;
  readonly #beganAtMs = Date.now();
  /** Regions that were heard within 30 s when they were last looked at. */
  readonly #awaited = new Set<string>();

  constructor(database: Database, state: CapitalState) {
    this.#database = database;
    this.#state = state;
    if (state.introduced < state.sequence) this.#introduceSinceMs = 0;
    // A region that fell silent while nobody led was perhaps told to be waited for.
    for (const region of state.regions.keys()) this.#awaited.add(region);
  }

  /** A message with decisions was committed. */
  decided(nowMs: number): void {
    this.#introduceSinceMs ??= nowMs;
  }

  /** When there is something to tell; undefined: nothing now. */
  dueAtMs(nowMs: number): number | undefined {
    const introduceAtMs =
      this.#introduceSinceMs === undefined ? undefined : this.#introduceSinceMs + introduceDelayMs;
    const isBehind = [...this.#state.regions.values()].some(
      (region) => this.#enforced(region, nowMs) > region.toldSequence,
    );
    const dueMs = isBehind || this.#cutOff(nowMs).length > 0 ? nowMs : introduceAtMs;
    return dueMs === undefined ? undefined : Math.max(dueMs, this.#toldAtMs + tellIntervalMs);
  }

  /** Adds what is to be told to the changes of a step. */
  async tell(changes: Changes, draft: RegionBatchesDraft): Promise<void> {
    const { nowMs } = changes;
    this.#toldAtMs = nowMs;
    const introduced = await this.#introduce(changes, draft);
    await this.#tellEnforced(changes, draft, introduced);
    for (const region of this.#cutOff(nowMs)) {
      const items = await loadNewestDecided(this.#database, region.toldSequence, introduced, cutOffItemsMax);
      for (const item of items) this.#addRow(changes, draft, item, region);
    }
    for (const region of this.#state.regions.values()) {
      if (region.isAwaited(nowMs)) this.#awaited.add(region.region);
      else if (!this.#isStarting(nowMs)) this.#awaited.delete(region.region);
    }
  }

  /** New decisions, each with a row for every region. */
  async #introduce(changes: Changes, draft: RegionBatchesDraft): Promise<number> {
    const { introduced, sequence } = this.#state;
    const { items, completeTo } = await loadDecided(this.#database, introduced, sequence, itemsMax);
    for (const item of items) {
      for (const region of this.#state.regions.values()) this.#addRow(changes, draft, item, region);
    }
    if (completeTo > introduced) changes.introduced = completeTo;
    this.#introduceSinceMs = completeTo < sequence ? 0 : undefined;
    return completeTo;
  }

  /** Decisions that were introduced before, where a region has come to enforce them. */
  async #tellEnforced(changes: Changes, draft: RegionBatchesDraft, introducedNow: number): Promise<void> {
    const { introduced } = this.#state;
    const ranges = new Map<string, { items: DecidedItem[]; completeTo: number }>();
    for (const region of this.#state.regions.values()) {
      const enforced = Math.min(region.book.enforcedSequence("NATIONAL", changes.nowMs), introducedNow);
      const from = region.toldSequence;
      if (enforced <= from) continue;
      const to = Math.min(enforced, introduced);
      const range = `${from} ${to}`;
      const found = ranges.get(range) ?? (await loadDecided(this.#database, from, to, itemsMax));
      ranges.set(range, found);
      for (const item of found.items) this.#addRow(changes, draft, item, region);
      changes.told.push({
        region: region.region,
        sequence: found.completeTo < to ? found.completeTo : enforced,
      });
    }
  }

  #addRow(changes: Changes, draft: RegionBatchesDraft, item: DecidedItem, region: RegionKnowledge): void {
    const { directive, revision, sequence } = item;
    const enforcedAtMs =
      this.#enforcedUpTo(region, changes.nowMs) >= sequence
        ? region.book.enforcedAt("NATIONAL", sequence, changes.nowMs)
        : undefined;
    const waiting = region.isAwaited(changes.nowMs) ? "waiting" : "cut-off";
    draft.addEnforcement(item.region, {
      directive,
      revision,
      region: region.region,
      state: enforcedAtMs === undefined ? waiting : "enforced",
      enforcedAtMs: enforcedAtMs ?? 0,
      nationalSequence: sequence,
    });
    if (enforcedAtMs !== undefined)
      changes.enforced.push({ region: region.region, sequence, atMs: enforcedAtMs });
  }

  /** What a region has come to enforce of what was introduced. */
  #enforced(region: RegionKnowledge, nowMs: number): number {
    return Math.min(this.#enforcedUpTo(region, nowMs), this.#state.introduced);
  }

  #enforcedUpTo(region: RegionKnowledge, nowMs: number): number {
    return Math.min(region.book.enforcedSequence("NATIONAL", nowMs), this.#state.sequence);
  }

  /** What regions sent while nobody led is still being read. */
  #isStarting(nowMs: number): boolean {
    return nowMs - this.#beganAtMs < replicaSilenceMaxMs;
  }

  /** Regions that were awaited and are not any more. */
  #cutOff(nowMs: number): RegionKnowledge[] {
    if (this.#isStarting(nowMs)) return [];
    return [...this.#state.regions.values()].filter(
      (region) => this.#awaited.has(region.region) && !region.isAwaited(nowMs),
    );
  }
}
