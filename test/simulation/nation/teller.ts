import type { CapitalState } from "../../../services/coordination/domain/capital-state.ts";
import type { Changes } from "../../../services/coordination/domain/changes.ts";
import type { RegionKnowledge } from "../../../services/coordination/domain/nation.ts";
import type { RegionBatchesDraft } from "../../../services/coordination/domain/region-batch.ts";
import type { Work } from "../engine/scheduler.ts";
import type { DecisionRow } from "./tables.ts";
import type { World } from "./world.ts";

const tellIntervalMs = 100;
const introduceDelayMs = 30;

type Item = DecisionRow & { readonly directive: string };

/** Tells each author's region since when each region enforces (services/coordination/enforcement-teller.ts). */
export class Teller {
  readonly #world: World;
  readonly #state: CapitalState;
  #introduceSinceMs: number | undefined;
  #toldAtMs = 0;

  constructor(world: World, state: CapitalState) {
    this.#world = world;
    this.#state = state;
    if (state.introduced < state.sequence) this.#introduceSinceMs = 0;
  }

  decided(): void {
    this.#introduceSinceMs ??= this.#world.scheduler.nowMs;
  }

  *tell(
    changes: Changes,
    draft: RegionBatchesDraft,
    ask: <Answer>(read: () => Answer) => Work<Answer>,
  ): Work {
    const { scheduler, capital } = this.#world;
    const { introduced, sequence } = this.#state;
    const regions = [...this.#state.regions.values()];
    const enforced = (region: RegionKnowledge) =>
      Math.min(this.#enforcedUpTo(region, changes.nowMs), introduced);
    const isBehind = regions.some((region) => enforced(region) > region.toldSequence);
    const isNew =
      this.#introduceSinceMs !== undefined && this.#introduceSinceMs + introduceDelayMs <= scheduler.nowMs;
    if ((!isBehind && !isNew) || scheduler.nowMs < this.#toldAtMs + tellIntervalMs) return;
    this.#toldAtMs = scheduler.nowMs;
    const lowest = Math.min(introduced, ...regions.map(({ toldSequence }) => toldSequence));
    const items = yield* ask(() => itemsAfter(capital.postgres.database.state.decisions, lowest));
    for (const item of items) {
      const isIntroduced = item.sequence > introduced && item.sequence <= sequence;
      for (const region of regions) {
        const isReached = item.sequence > region.toldSequence && item.sequence <= enforced(region);
        if (isIntroduced || isReached) this.#addRow(changes, draft, item, region);
      }
    }
    if (sequence > introduced) changes.introduced = sequence;
    this.#introduceSinceMs = undefined;
    for (const region of regions) {
      const upTo = Math.min(this.#enforcedUpTo(region, changes.nowMs), sequence);
      if (upTo > region.toldSequence) changes.told.push({ region: region.region, sequence: upTo });
    }
  }

  #enforcedUpTo(region: RegionKnowledge, nowMs: number): number {
    return Math.min(region.book.enforcedSequence("NATIONAL", nowMs), this.#state.sequence);
  }

  #addRow(changes: Changes, draft: RegionBatchesDraft, item: Item, region: RegionKnowledge): void {
    const { directive, revision, sequence } = item;
    const isReached = this.#enforcedUpTo(region, changes.nowMs) >= sequence;
    const enforcedAtMs = isReached ? region.book.enforcedAt("NATIONAL", sequence, changes.nowMs) : undefined;
    if (enforcedAtMs !== undefined) this.#world.truth.told(region, sequence, changes.nowMs);
    draft.addEnforcement(item.region, {
      ...{ directive, revision, region: region.region, nationalSequence: sequence },
      ...{ state: enforcedAtMs === undefined ? "waiting" : "enforced", enforcedAtMs: enforcedAtMs ?? 0 },
    });
  }
}

function itemsAfter(decisions: ReadonlyMap<string, DecisionRow>, sequence: number): Item[] {
  return [...decisions]
    .filter(([, row]) => row.sequence > sequence)
    .map(([directive, row]) => ({ ...row, directive }));
}
