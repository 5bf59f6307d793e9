import { Intelligence } from "#proto/qalqan/events/v1/events.ts";
import type { CapitalState } from "./capital-state.ts";
import type { Changes } from "./changes.ts";
import { refuse, type Intake, type IntelligenceNews } from "./intake.ts";
import { isFarAhead } from "./plausible.ts";
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
  for (const news of intake.intelligence) {
    const before = known.get(news.piece.id);
    if (before?.withdrawn === true) continue;
    const after =
      news.kind === "shared" ? share(intake, news, before, state, step) : withdraw(news, before, state, step);
    if (after !== undefined) known.set(news.piece.id, after);
  }
}

function share(
  intake: Intake,
  { region, piece }: IntelligenceNews & { kind: "shared" },
  before: KnownPiece | undefined,
  state: CapitalState,
  { changes, national, regional }: Step,
): KnownPiece | undefined {
  const { id, revision, audience } = piece;
  if (audience === "" || audience === "region") {
    refuse(intake, { region, stream: `of ${region}`, epoch: 0, sequence: 0, heardAtMs: 0 }, "malformed");
    return undefined;
  }
  if (isFarAhead(revision, before?.revision)) {
    refuse(intake, { region, stream: `of ${region}`, epoch: 0, sequence: 0, heardAtMs: 0 }, "far-ahead");
    return undefined;
  }
  if (before !== undefined && before.revision >= revision) return undefined;
  const body = Intelligence.encode(piece).finish();
  changes.intelligence.push({ id, region, revision, withdrawn: false, audience, body });
  if (audience === "all") national.addIntelligence({ intelligence: piece }, body.length);
  else
    for (const reader of readers(audience, state)) regional.addIntelligence(reader, { intelligence: piece });
  return { revision, withdrawn: false, audience };
}

function withdraw(
  { region, piece }: IntelligenceNews & { kind: "withdrawn" },
  before: KnownPiece | undefined,
  state: CapitalState,
  { changes, national, regional }: Step,
): KnownPiece {
  const { id, revision } = piece;
  const audience = before?.audience ?? piece.audience;
  changes.intelligence.push({ id, region, revision, withdrawn: true, audience, body: undefined });
  if (audience === "all") national.addWithdrawn(piece);
  else for (const reader of readers(audience, state)) regional.addWithdrawn(reader, piece);
  return { revision, withdrawn: true, audience };
}

/** Regions of the nation that an audience names. */
function readers(audience: string, state: CapitalState): string[] {
  return [...new Set(audience.split(","))].filter((region) => state.regions.has(region));
}
