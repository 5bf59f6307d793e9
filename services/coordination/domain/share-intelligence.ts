import { Intelligence } from "#proto/qalqan/events/v1/events.ts";
import type { CapitalState } from "./capital-state.ts";
import type { Changes } from "./changes.ts";
import { refuse, type Intake } from "./intake.ts";
import type { NationalBatchDraft } from "./national-batch.ts";
import type { RegionBatchesDraft } from "./region-batch.ts";

/** What the capital knows of a piece. */
interface KnownPiece {
  readonly revision: number;
  readonly withdrawn: boolean;
  readonly audience: string;
}

interface Step {
  readonly changes: Changes;
  readonly national: NationalBatchDraft;
  readonly regional: RegionBatchesDraft;
}

/**
 * Passes pieces of intelligence on to their audience: all centres through
 * NATIONAL, named regions through their FOR. A piece that was withdrawn stays
 * withdrawn, and a piece for its own region alone must never have come up.
 */
export function shareIntelligence(
  intake: Intake,
  stored: ReadonlyMap<string, KnownPiece>,
  state: CapitalState,
  step: Step,
): void {
  const known = new Map(stored);
  for (const { region, piece } of intake.intelligence) {
    const { id, revision, audience } = piece;
    const before = known.get(id);
    if (audience === "" || audience === "region") {
      refuse(intake, { region, stream: `of ${region}`, sequence: 0, heardAtMs: 0 }, "malformed");
      continue;
    }
    if (before !== undefined && (before.withdrawn || before.revision >= revision)) continue;
    known.set(id, { revision, withdrawn: false, audience });
    const body = Intelligence.encode(piece).finish();
    step.changes.intelligence.push({ id, region, revision, withdrawn: false, audience, body });
    if (audience === "all") step.national.addIntelligence({ intelligence: piece }, body.length);
    else for (const each of readers(audience, state)) step.regional.addIntelligence(each, { intelligence: piece });
  }
  for (const { region, piece } of intake.withdrawn) {
    const before = known.get(piece.id);
    if (before?.withdrawn === true) continue;
    const audience = before?.audience ?? piece.audience;
    known.set(piece.id, { revision: piece.revision, withdrawn: true, audience });
    const { id, revision } = piece;
    step.changes.intelligence.push({ id, region, revision, withdrawn: true, audience, body: undefined });
    if (audience === "all") step.national.addWithdrawn(piece);
    else for (const each of readers(audience, state)) step.regional.addWithdrawn(each, piece);
  }
}

/** Regions of the nation that an audience names. */
function readers(audience: string, state: CapitalState): string[] {
  return [...new Set(audience.split(","))].filter((region) => state.regions.has(region));
}
