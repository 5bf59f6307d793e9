import fc from "fast-check";
import { expect, test } from "vitest";
import { BulkFlow, bulkAheadMax, stillMaxMs } from "../../services/coordination/domain/bulk-flow.ts";

const regions = ["astana", "almaty", "mangystau"] as const;

/** Makes bulk as long as it may go on; how many messages that was. */
function makeAll(flow: BulkFlow, from: number, nowMs: number): number {
  let made = 0;
  while (made < 100 && flow.mayGoOn(nowMs)) {
    made += 1;
    flow.published(from + made, nowMs);
  }
  return made;
}

test("bulk goes at most eight messages ahead of the slowest region, and on as soon as it moves", () => {
  const flow = new BulkFlow();
  flow.heard("astana", "screening-0", 0, true, 0);
  flow.heard("almaty", "screening-0", 0, true, 0);
  expect(makeAll(flow, 0, 10)).toBe(bulkAheadMax);
  flow.heard("astana", "screening-0", 8, true, 20);
  expect(flow.mayGoOn(20)).toBe(false);
  flow.heard("almaty", "screening-0", 3, true, 30);
  expect(makeAll(flow, 8, 30)).toBe(3);
  expect(flow.behind).toEqual([]);
});

test("a region counts as its slowest ready replica", () => {
  const flow = new BulkFlow();
  flow.heard("astana", "screening-0", 0, true, 0);
  flow.heard("astana", "screening-1", 0, true, 0);
  makeAll(flow, 0, 10);
  flow.heard("astana", "screening-0", 8, true, 20);
  expect(flow.mayGoOn(20)).toBe(false);
  flow.heard("astana", "screening-1", 0, false, 30);
  expect(flow.mayGoOn(30)).toBe(true);
});

test("a region that does not move for five seconds is named behind and waited for no more, until it moves", () => {
  const flow = new BulkFlow();
  flow.heard("astana", "screening-0", 0, true, 0);
  flow.heard("almaty", "screening-0", 0, true, 0);
  makeAll(flow, 0, 1_000);
  flow.heard("astana", "screening-0", 8, true, 2_000);
  flow.heard("almaty", "screening-0", 0, true, 2_000);
  expect(flow.mayGoOn(1_000 + stillMaxMs - 1)).toBe(false);
  expect(flow.mayGoOn(1_000 + stillMaxMs)).toBe(true);
  expect(flow.behind).toEqual(["almaty"]);
  flow.heard("almaty", "screening-0", 1, true, 7_000);
  flow.mayGoOn(7_000);
  expect(flow.behind).toEqual([]);
});

test("without a region that is heard nothing waits", () => {
  const flow = new BulkFlow();
  expect(makeAll(flow, 0, 0)).toBe(100);
  flow.heard("astana", "screening-0", 0, true, 0);
  expect(makeAll(flow, 100, 40_000)).toBe(100);
});

const step = fc.record({
  region: fc.constantFrom(...regions),
  moves: fc.integer({ min: 0, max: 4 }),
  waitsMs: fc.integer({ min: 0, max: 1_500 }),
  makes: fc.integer({ min: 0, max: 12 }),
});

test("whatever regions do, no moving region is ever more than eight behind, and bulk never stops for good", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const flow = new BulkFlow();
      const reached = new Map<string, number>(regions.map((region) => [region, 0]));
      const movedAtMs = new Map<string, number>();
      let [nowMs, last] = [0, 0];
      for (const region of regions) flow.heard(region, "screening-0", 0, true, nowMs);
      for (const { region, moves, waitsMs, makes } of steps) {
        nowMs += waitsMs;
        const sequence = Math.min(last, (reached.get(region) ?? 0) + moves);
        if (sequence > (reached.get(region) ?? 0)) movedAtMs.set(region, nowMs);
        reached.set(region, sequence);
        for (const each of regions) flow.heard(each, "screening-0", reached.get(each) ?? 0, true, nowMs);
        for (let made = 0; made < makes && flow.mayGoOn(nowMs); made += 1) {
          last += 1;
          flow.published(last, nowMs);
          for (const each of regions) {
            const isMoving = nowMs - (movedAtMs.get(each) ?? 0) < stillMaxMs;
            expect(!isMoving || last - (reached.get(each) ?? 0) <= bulkAheadMax + makes).toBe(true);
          }
        }
      }
      expect(flow.mayGoOn(nowMs + stillMaxMs)).toBe(true);
    }),
  );
});
