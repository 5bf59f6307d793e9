import { expect, test } from "vitest";
import { plans } from "./plans.ts";
import { runSeeds, seedsOf } from "./seeds.ts";

const file = "test/simulation/a-nation-comes-to-one-truth.test.ts";
const usualSeeds = 1_000;
const timeoutMs = 3_600_000;

test(
  "whatever dies, stops or is cut off, nothing is lost or doubled and all tables are one",
  async () => {
    const totals = await runSeeds(file, seedsOf(usualSeeds), plans.processes);
    console.log(`simulation of dying processes and lines: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);
