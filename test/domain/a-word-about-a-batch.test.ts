import { afterEach, expect, test, vi } from "vitest";
import { Overlay } from "#domain/overlay.ts";
import { TargetIndex } from "#domain/target-index.ts";
import type { OverlayDirective, OverlayEvent } from "#domain/overlay-events.ts";

afterEach(() => vi.restoreAllMocks());

const batch = "astana-batch";
const members = 5_000;

function member(index: number): OverlayDirective {
  return {
    ...{ id: `astana-${index}`, revision: 1, target: `+1212${5_000_000 + index}`, action: "block" },
    ...{ scope: "nation", reason: "fraud", authorRole: "operator", expiresAtMs: 1_000, overrideRevision: 0 },
    // Every other one waits for the approval of the batch.
    ...{ batch, revoked: false, missing: index % 2 === 0 ? ["second-person"] : [], falseStopOf: "" },
  };
}

test("one word about a batch puts all its members in force, or ends them, in one step that touches none of them", () => {
  const overlay = new Overlay("astana");
  let sequence = 0;
  const apply = (body: OverlayEvent["body"]) =>
    overlay.applyEvent({ body }, { lane: "urgent", sequence: (sequence += 1) });
  const inForce = () => {
    const found = [...overlay.enforcedAt(0)].length;
    expect(overlay.size).toBe(found);
    return found;
  };
  const directives = Array.from({ length: members }, (_, index) => member(index));
  apply({ $case: "directives", value: { directives } });
  expect(inForce()).toBe(members / 2);
  const moves = [vi.spyOn(TargetIndex.prototype, "set"), vi.spyOn(TargetIndex.prototype, "delete")];
  const approval = { directive: "", revision: 1, batch, approved: true, complete: true };
  apply({ $case: "approval", value: approval });
  expect(inForce()).toBe(members);
  apply({ $case: "batchRevocation", value: { batch } });
  expect(inForce()).toBe(0);
  for (const move of moves) expect(move).not.toHaveBeenCalled();
  // What is said of a member itself goes on counting.
  apply({ $case: "directives", value: { directives: [{ ...member(1), revision: 2, batch: "" }] } });
  expect(inForce()).toBe(1);
});
