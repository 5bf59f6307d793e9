import { regionOfId, type ApprovalKind } from "#domain/vocabulary.ts";
import type { Decision, NationalBatch } from "#proto/qalqan/events/v1/events.ts";

/** Kinds of approval that another region than the directive's own can give. */
const givenElsewhere: readonly string[] = ["second-region", "carrier"] satisfies ApprovalKind[];

/** Whether people of other regions can give what a directive waits for. */
export function waitsForOthers({ decision, missing }: Pick<Decision, "decision" | "missing">): boolean {
  return decision === "held" && missing.some((kind) => givenElsewhere.includes(kind));
}

/**
 * Whether a batch of NATIONAL tells a region's people nothing but that others'
 * directives were decided: screening enforces those, and nobody here waits for it.
 */
export function isOnlyOfOthers(batch: NationalBatch, region: string): boolean {
  return (
    batch.decisions.every((each) => each.region !== region && !waitsForOthers(each)) &&
    batch.rows.every(({ row }) => row?.$case === "entry" || row?.$case === "removed") &&
    batch.revokedBatches.every((id) => regionOfId(id) !== region) &&
    batch.intelligence.length === 0 &&
    batch.intelligenceWithdrawn.length === 0
  );
}
