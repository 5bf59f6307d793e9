import { expect, test } from "vitest";
import { mutants } from "./nation/mutants.ts";
import { plans } from "./plans.ts";
import { firstBroken } from "./seeds.ts";

const timeoutMs = 300_000;

test.each(mutants)(
  "$what is found within $within seeds",
  async ({ cores, under, within, breaks }) => {
    const outcome = await firstBroken(within, { ...plans[under], cores });
    expect(
      outcome?.problems.filter((problem) => breaks.some((invariant) => problem.startsWith(invariant))),
    ).not.toEqual([]);
  },
  timeoutMs,
);
