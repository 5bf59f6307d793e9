import fc from "fast-check";
import { expect, test } from "vitest";
import { isSnapshotShorter } from "#domain/snapshot-way.ts";
import { planSnapshotCopy } from "../../services/replication/domain/snapshot-copy.ts";

const small = fc.integer({ min: 0, max: 12 });

test("whatever both ends have, following the plan ends with exactly the newest snapshot, whole", () => {
  fc.assert(
    fc.property(
      ...([small, small, small, small, fc.boolean()] as const),
      (chunks, trimmed, hereLength, hereFirst, agrees) => {
        // The hub: an older snapshot up to `chunks`, then the newest one, then one that is not whole yet.
        const newest = { firstMessage: chunks + 1, manifestMessage: chunks + 4 };
        const there = { first: Math.min(trimmed + 1, newest.firstMessage), last: chunks + 6 };
        const here = { first: hereFirst + 1, last: hereFirst + hereLength };
        const plan = planSnapshotCopy(newest, here, there, agrees);
        const kept =
          plan.kind === "anew" ? [] : Array.from({ length: hereLength }, (_, index) => here.first + index);
        const from =
          plan.kind === "continue" || plan.kind === "anew" ? plan.from : newest.manifestMessage + 1;
        const copied = Array.from({ length: newest.manifestMessage - from + 1 }, (_, index) => from + index);
        const after = [...kept, ...copied];
        expect(after.at(-1)).toBe(newest.manifestMessage);
        const whole = Array.from({ length: 4 }, (_, index) => newest.firstMessage + index);
        expect(after.filter((sequence) => sequence >= newest.firstMessage)).toEqual(whole);
        expect(copied.every((sequence) => sequence >= there.first)).toBe(true);
        expect(plan.kind === "anew" || agrees).toBe(true);
        expect(plan.kind !== "current" || here.last === newest.manifestMessage).toBe(true);
      },
    ),
    { examples: [[3, 0, 0, 7, true]] },
  );
  expect(planSnapshotCopy(undefined, { first: 1, last: 0 }, { first: 1, last: 0 }, true).kind).toBe("none");
});

test("a snapshot is taken where NATIONAL does not reach back or is the longer way, and never leads back or over a gap", () => {
  fc.assert(
    fc.property(small, small, small, small, (sequence, chunks, reached, first) => {
      const taken = isSnapshotShorter({ sequence, chunks }, reached, first);
      const leadsOn = sequence > reached && sequence + 1 >= first;
      const isNeeded = reached + 1 < first || sequence - reached > chunks;
      expect(taken).toBe(leadsOn && isNeeded);
    }),
  );
});
