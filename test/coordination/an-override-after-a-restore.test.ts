import { expect, test } from "vitest";
import { SetDigest } from "#domain/digest.ts";
import type { FoldMemory } from "#domain/fold.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { foldContext, foreignNumber, idOf, opinionOf } from "#test/domain/opinions.ts";
import { NationalBatchDraft } from "../../services/coordination/domain/national-batch.ts";
import { recoveredChanges } from "../../services/coordination/domain/recover.ts";
import { refold, type Known } from "../../services/coordination/domain/refold.ts";

/** PostgreSQL of the capital came back older: the row is taken back from NATIONAL, and the lanes are read again. */
const block = opinionOf({ id: idOf("almaty", 1) });
const said = { revision: 1, decision: "accepted", reason: "", missing: [] };

function folded(known: Known, sequence: number) {
  const draft = new NationalBatchDraft(sequence, new SetDigest().value());
  const outcome = refold([foreignNumber], known, foldContext(), draft);
  const decisions = outcome.decisions.map(({ directive, decision, reason }) => [directive, decision, reason]);
  return { ...outcome, draft, decisions };
}

/** What the fold remembers once its only message was taken back into a database that knew nothing. */
function takenBack(): FoldMemory {
  const opinions = new Map([[foreignNumber, [block]]]);
  const { draft } = folded({ opinions, memories: new Map(), published: new Map() }, 5);
  const { bytes } = draft.finish(block.acceptedAtMs);
  const changes = recoveredChanges(NationalBatch.decode(bytes), bytes, {
    ...{ digest: new SetDigest().value(), memories: new Map(), protectedNumbers: new Map(), stop: undefined },
    ...{ batchOf: () => undefined, audienceOf: () => undefined },
  });
  const memory = changes?.memories.get(foreignNumber);
  if (memory === undefined) throw new Error("the row was not taken back");
  return memory;
}

test("ends what stood behind the revision that it names, and nothing that came later", () => {
  const prosecutor = { authorRole: "regional-prosecutor", author: "prosecutor-1" };
  const override = opinionOf({ ...prosecutor, action: "warn", overrideRevision: 5 });
  const later = opinionOf({ id: idOf("almaty", 3), acceptedAtMs: block.acceptedAtMs + 1 });
  const known = {
    opinions: new Map([[foreignNumber, [block, override, later]]]),
    memories: new Map([[foreignNumber, takenBack()]]),
    published: new Map([[block.id, said]]),
  };
  expect(folded(known, 6).decisions).toEqual([
    [block.id, "rejected", "overridden"],
    [later.id, "accepted", ""],
    [override.id, "accepted", ""],
  ]);
});
