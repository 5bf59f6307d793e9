import {
  RegionBatch,
  type Enforcement,
  type IntelligenceShared,
  type IntelligenceWithdrawn,
} from "#proto/qalqan/events/v1/events.ts";
import type { RegionMessage } from "./changes.ts";

/** Rows of one message of FOR: about 400 kB. */
const enforcementsMax = 5_000;
const intelligenceMax = 200;

/** What one region is told in one step. */
class RegionParts {
  readonly enforcements: Enforcement[] = [];
  readonly intelligence: IntelligenceShared[] = [];
  readonly withdrawn: IntelligenceWithdrawn[] = [];
}

/** Messages of FOR while they are put together, for any number of regions. */
export class RegionBatchesDraft {
  readonly #parts = new Map<string, RegionParts>();

  addEnforcement(region: string, enforcement: Enforcement): void {
    this.#of(region).enforcements.push(enforcement);
  }

  /** Tells a region that another one (or it itself) belongs to the nation. */
  addMember(region: string, member: string): void {
    this.addEnforcement(region, {
      ...{ directive: "", revision: 0, nationalSequence: 0 },
      ...{ region: member, state: "waiting", enforcedAtMs: 0 },
    });
  }

  addIntelligence(region: string, piece: IntelligenceShared): void {
    this.#of(region).intelligence.push(piece);
  }

  addWithdrawn(region: string, piece: IntelligenceWithdrawn): void {
    this.#of(region).withdrawn.push(piece);
  }

  /** @param lastSequence of the region's FOR, as it is committed */
  finish(atMs: number, lastSequence: (region: string) => number): RegionMessage[] {
    return [...this.#parts].flatMap(([region, { enforcements, intelligence, withdrawn }]) => {
      const messages = Math.max(
        Math.ceil(enforcements.length / enforcementsMax),
        Math.ceil(intelligence.length / intelligenceMax),
        Math.ceil(withdrawn.length / intelligenceMax),
      );
      return Array.from({ length: messages }, (_, index) => {
        const sequence = lastSequence(region) + index + 1;
        const bytes = RegionBatch.encode({
          sequence,
          atMs,
          enforcements: enforcements.slice(index * enforcementsMax, (index + 1) * enforcementsMax),
          intelligence: intelligence.slice(index * intelligenceMax, (index + 1) * intelligenceMax),
          intelligenceWithdrawn: withdrawn.slice(index * intelligenceMax, (index + 1) * intelligenceMax),
        }).finish();
        return { region, sequence, bytes };
      });
    });
  }

  #of(region: string): RegionParts {
    const known = this.#parts.get(region) ?? new RegionParts();
    this.#parts.set(region, known);
    return known;
  }
}
