import { expect, test } from "vitest";
import { simulate } from "./nation/simulate.ts";
import { plans } from "./plans.ts";
import { failureOf } from "./seeds.ts";

const seeds = [1, 2, 3, 4, 5];
const plan = plans["disks of regions"];

test("the same seed gives the same trace, byte for byte", () => {
  for (const seed of seeds) {
    const first = simulate(seed, { ...plan, keepsTrace: true });
    const again = simulate(seed, { ...plan, keepsTrace: true });
    expect(again.trace.join("\n")).toBe(first.trace.join("\n"));
    expect(again.traceHash).toBe(first.traceHash);
  }
});

test("another seed gives another run", () => {
  const hashes = seeds.map((seed) => simulate(seed, plan).traceHash);
  expect(new Set(hashes).size).toBe(seeds.length);
});

test("a failure names its seed and the command that runs it again", () => {
  const outcome = { ...simulate(1, plan), problems: ["SYNC-1: something is lost"] };
  const text = failureOf("test/simulation/a-seed-replays-exactly.test.ts", outcome);
  expect(text).toContain(
    "QALQAN_SEED=1 npx vitest run --project unit test/simulation/a-seed-replays-exactly.test.ts",
  );
  expect(text).toContain("SYNC-1: something is lost");
});
