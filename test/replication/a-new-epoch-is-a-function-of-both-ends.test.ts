import fc from "fast-check";
import { expect, test } from "vitest";
import {
  planBlock,
  planEpoch,
  producerMarks,
  refedAs,
  type EpochEnds,
} from "../../services/replication/domain/epoch.ts";
import { refeedToken } from "#proto/names.ts";
import type { ForkWhy } from "../../services/replication/domain/copy.ts";

const epoch = fc.integer({ min: 1, max: 6 });
const fork = fc.option(fc.constantFrom<ForkWhy>("store-lost", "store-restored", "diverged"), {
  nil: undefined,
});

const knowledge = fc
  .record({ opened: epoch, ahead: fc.nat(2), hubUsed: fc.nat(6) })
  .map(({ opened, ahead, hubUsed }) => ({ opened, created: opened + ahead, hubUsed }));

test("what is opened is stayed in while nothing is forked and nobody knows a later epoch", () => {
  fc.assert(
    fc.property(epoch, fc.nat(6), (opened, hubUsed) => {
      fc.pre(hubUsed <= opened);
      expect(planEpoch({ opened, created: opened, hubUsed }, undefined)).toEqual({
        kind: "stay",
        epoch: opened,
      });
    }),
  );
});

test("a new epoch is one that nobody has used; killed at any moment, replication goes on with the same", () => {
  fc.assert(
    fc.property(knowledge, fork, (known, why) => {
      const plan = planEpoch(known, why);
      fc.pre(plan.kind === "open");
      const { opened, hubUsed } = known;
      expect(plan).toMatchObject({ previous: opened });
      expect(plan.epoch).toBeGreaterThan(Math.max(opened, hubUsed));
      const during = planEpoch({ opened, created: plan.epoch, hubUsed }, undefined);
      expect(during).toMatchObject({ kind: "open", epoch: plan.epoch, previous: opened });
      const after = planEpoch({ opened: plan.epoch, created: plan.epoch, hubUsed }, undefined);
      expect(after).toEqual({ kind: "stay", epoch: plan.epoch });
    }),
  );
});

test("why an epoch is opened is what was found, or that the hub knows a later one", () => {
  expect(planEpoch({ opened: 1, created: 1, hubUsed: 3 }, undefined)).toEqual({
    kind: "open",
    epoch: 4,
    previous: 1,
    why: "store-restored",
  });
  expect(planEpoch({ opened: 1, created: 1, hubUsed: 1 }, "store-lost")).toMatchObject({
    epoch: 2,
    why: "store-lost",
  });
});

const ends = fc
  .tuple(fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(20), fc.boolean())
  .map(([common, here, there, trimHere, trimThere, lost]): Omit<EpochEnds, "epoch"> => ({
    common: lost ? 0 : common,
    region: lost ? undefined : trimmed(common + here, trimHere),
    hub: trimmed(common + there, trimThere),
  }));
const trimmed = (last: number, trim: number) => ({ first: Math.min(trim, last) + 1, last });

test("the block has every kept message after the common history once: the hub's first, each end's in its order", () => {
  fc.assert(
    fc.property(fc.array(ends, { minLength: 1, maxLength: 3 }), (all) => {
      const epochs = all.map((one, index) => ({ ...one, epoch: index + 1 }));
      const block = planBlock(epochs).flatMap(({ end: of, epoch: number, from, to }) =>
        Array.from({ length: to - from + 1 }, (_, index) => `${of} ${number} ${from + index}`),
      );
      const wanted = (["hub", "region"] as const).flatMap((of) =>
        epochs.flatMap(({ epoch: number, common, ...both }) => {
          const kept = both[of];
          if (kept === undefined) return [];
          return Array.from({ length: kept.last }, (_, index) => index + 1)
            .filter((sequence) => sequence > common && sequence >= kept.first)
            .map((sequence) => `${of} ${number} ${sequence}`);
        }),
      );
      expect(block).toEqual(wanted);
    }),
  );
});

test("centre's work is fed from both ends, the others' from the region, replication's and lists of alarms from none", () => {
  expect(refedAs("hub", "centre.directives")).toBe("refeed.centre.directives");
  expect(refedAs("hub", "screening-0.counters")).toBeUndefined();
  expect(refedAs("region", "screening-0.counters")).toBe("refeed.screening-0.counters");
  for (const end of ["hub", "region"] as const) {
    expect(refedAs(end, "replication.heartbeat")).toBeUndefined();
    expect(refedAs(end, "centre.alarms")).toBeUndefined();
    // Fed for the second time it stands under the same subject.
    expect(refedAs(end, `${refeedToken}.centre.directives`)).toBe("refeed.centre.directives");
  }
});

test("a producer goes on after the highest number it has used at either end and before", () => {
  const numbered = fc.record({
    rest: fc.constantFrom(
      "centre.directives",
      "centre.approval",
      "refeed.centre.directives",
      "screening-0.receipt",
    ),
    outbox: fc.nat(1_000),
  });
  fc.assert(
    fc.property(fc.array(numbered), fc.nat(1_000), (messages, before) => {
      const marks = producerMarks(messages, new Map([["centre", before]]));
      const of = (producer: string) =>
        messages.filter(({ rest }) => rest.includes(producer)).map(({ outbox }) => outbox);
      expect(marks.get("centre")).toBe(Math.max(before, ...of("centre")));
      expect(marks.get("screening-0") ?? 0).toBe(Math.max(0, ...of("screening-0")));
    }),
  );
});
