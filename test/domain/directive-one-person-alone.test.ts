import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { dayMs, hourMs } from "#domain/powers-table.ts";
import type { Action, ApprovalKind, Role, Scope } from "#domain/vocabulary.ts";

import type { Command } from "./one-person-nation.ts";
import { Nation } from "./one-person-nation.ts";

/**
 * The invariant: whatever one person commands, in whatever order and however
 * long, it never ends in a block of a Kazakh range (nor of a Kazakh number
 * everywhere), nor in more than 50 Kazakh numbers blocked by that person within
 * any 24 hours. A centre, its overlay and the capital's fold are modelled
 * around the real decisions.
 */
const numbersMax = 50;

/** The most distinct numbers in any window of 24 hours. */
function mostNumbersInADay(blocked: Iterable<{ number: string; atMs: number }>): number {
  const all = [...blocked];
  const starts = new Set(all.map((each) => each.atMs));
  const counts = [...starts].map(
    (from) =>
      new Set(all.filter((each) => each.atMs >= from && each.atMs <= from + dayMs).map((each) => each.number))
        .size,
  );
  return Math.max(0, ...counts);
}

const action = fc.constantFrom<Action>("block", "block", "block", "divert", "warn", "allow", "observe");
const term = fc.constantFrom(hourMs, dayMs, 7 * dayMs, 30 * dayMs, 60 * dayMs);
const target = fc.oneof(
  fc.integer({ min: 0, max: 5 }).map((index) => `+7701000000${index}@intl-1`),
  fc.integer({ min: 0, max: 5 }).map((index) => `+7701000000${index}@international`),
  fc.constantFrom(
    "+77010000000",
    "+77010000001@dom-1",
    "+77010000001@odd-1",
    "+77010000000-+77010000000",
    "+77010000000-+77019999999",
    "+76999999999-+79000000000",
    "+71000000000-+71000000009",
    "trunk:intl-1",
    "+442079460958",
  ),
);
const which = fc.nat({ max: 120 });
const issueMany = fc.record({
  kind: fc.constant("issue-many" as const),
  from: fc.integer({ min: 0, max: 90 }),
  count: fc.integer({ min: 1, max: 60 }),
  termMs: term,
  action: fc.constantFrom<Action>("block", "block", "warn"),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  issueMany,
  fc.record({
    kind: fc.constant("issue" as const),
    target,
    action,
    scope: fc.constantFrom<Scope | undefined>(undefined, "nation", "region"),
    termMs: term,
    more: fc.constantFrom(
      "" as const,
      "" as const,
      "batch" as const,
      "override" as const,
      "false-stop" as const,
    ),
  }),
  fc.record({
    kind: fc.constant("extend" as const),
    which,
    count: fc.integer({ min: 1, max: 80 }),
    termMs: term,
  }),
  fc.record({ kind: fc.constant("revoke" as const), which }),
  fc.record({
    kind: fc.constant("approve" as const),
    which,
    approval: fc.constantFrom<ApprovalKind | undefined>(
      undefined,
      "second-person",
      "second-region",
      "carrier",
    ),
  }),
  fc.constant({ kind: "approve-batch" as const }),
  fc.constant({ kind: "revoke-batch" as const }),
  fc.record({
    kind: fc.constant("wait" as const),
    ms: fc.constantFrom(1, hourMs, 12 * hourMs, dayMs, dayMs + 1, 8 * dayMs),
  }),
);
const role = fc.constantFrom<Role>(
  "operator",
  "operator",
  "analyst",
  "regional-prosecutor",
  "central-prosecutor",
);

describe("one person alone", () => {
  it(
    "never blocks a Kazakh range, nor more than 50 Kazakh numbers within any 24 hours",
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(role, fc.array(command, { minLength: 1, maxLength: 12 }), (as, commands) => {
          const nation = new Nation(as);
          commands.forEach((each) => nation.run(each));
          expect(mostNumbersInADay(nation.blocked.values())).toBeLessThanOrEqual(numbersMax);
        }),
        { numRuns: 150 },
      );
    },
  );

  it("can block fifty numbers a day, so that the limit is reached in the model", () => {
    const nation = new Nation("operator");
    const many = { kind: "issue-many", count: 60, termMs: dayMs, action: "block" } as const;
    nation.run({ ...many, from: 0 });
    expect(nation.blocked.size).toBe(numbersMax);
    nation.run({ kind: "wait", ms: dayMs });
    nation.run({ ...many, from: 100, count: 1 });
    expect(nation.blocked.size).toBe(numbersMax);
    nation.run({ kind: "wait", ms: dayMs + 1 });
    nation.run({ ...many, from: 200 });
    expect(nation.blocked.size).toBe(2 * numbersMax);
    expect(mostNumbersInADay(nation.blocked.values())).toBeLessThanOrEqual(numbersMax);
  });

  it("cannot bring to life by extending what was one target too many", () => {
    const nation = new Nation("operator");
    nation.run({ kind: "issue-many", from: 0, count: 60, termMs: 7 * dayMs, action: "block" });
    nation.run({ kind: "wait", ms: dayMs + 1 });
    nation.run({ kind: "extend", which: 0, count: 60, termMs: 7 * dayMs });
    expect(mostNumbersInADay(nation.blocked.values())).toBeLessThanOrEqual(numbersMax);
  });

  it("cannot extend more than fifty blocks of several days in one day", () => {
    const nation = new Nation("operator");
    for (const from of [0, 50]) {
      nation.run({ kind: "issue-many", from, count: 50, termMs: 7 * dayMs, action: "block" });
      nation.run({ kind: "wait", ms: dayMs + 1 });
    }
    nation.run({ kind: "extend", which: 0, count: 100, termMs: 20 * dayMs });
    expect(nation.blocked.size).toBe(3 * numbersMax);
    expect(mostNumbersInADay(nation.blocked.values())).toBeLessThanOrEqual(numbersMax);
  });
});
