import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidInput } from "#domain/invalid-input.ts";
import { applyMode, parsePercent, parseTrunkId, trunkModes } from "#domain/trunk.ts";
import type { Verdict } from "#domain/vocabulary.ts";
import { verdicts } from "#domain/vocabulary.ts";

const enforced = { enforced: true, shadowStopped: false };
const letGo = { verdict: "allow", enforced: false };

function setting(mode: (typeof trunkModes)[number], percent = 100, bucket = 0, stopped = false) {
  return { mode, percent, bucket, stopped };
}

describe("what a trunk's mode makes of a decision", () => {
  test.each(verdicts)("enforce 100 %% lets %s through", (decision) => {
    expect(applyMode(decision, setting("enforce", 100, 99))).toEqual({
      verdict: decision,
      mode: "enforce",
      ...enforced,
    });
  });

  test.each([
    ["block", true],
    ["divert", true],
    ["warn", false],
  ] as [Verdict, boolean][])(
    "shadow lets a call go on where the decision is %s",
    (decision, shadowStopped) => {
      expect(applyMode(decision, setting("shadow"))).toEqual({ ...letGo, mode: "shadow", shadowStopped });
    },
  );

  test("mark makes a warning of block and divert", () => {
    const marked = { verdict: "warn", enforced: false, mode: "mark", shadowStopped: false };
    expect(applyMode("block", setting("mark"))).toEqual(marked);
    expect(applyMode("divert", setting("mark"))).toEqual(marked);
    expect(applyMode("warn", setting("mark"))).toEqual({ verdict: "warn", mode: "mark", ...enforced });
    expect(applyMode("allow", setting("mark"))).toEqual({ verdict: "allow", mode: "mark", ...enforced });
  });

  test("enforce N enforces buckets below N and treats the others as shadow does", () => {
    expect(applyMode("block", setting("enforce", 30, 29))).toMatchObject({
      verdict: "block",
      enforced: true,
    });
    expect(applyMode("block", setting("enforce", 30, 30))).toEqual({
      ...letGo,
      mode: "enforce",
      shadowStopped: true,
    });
    expect(applyMode("block", setting("enforce", 0, 0))).toMatchObject(letGo);
    expect(applyMode("block", setting("enforce", 1, 0))).toMatchObject({ verdict: "block" });
  });

  test("under a stop every call goes on, whatever the mode", () => {
    for (const mode of trunkModes) {
      const outcome = applyMode("block", setting(mode, 100, 0, true));
      expect(outcome).toEqual({ ...letGo, mode: "stopped", shadowStopped: true });
    }
  });

  test("no mode ever makes a call's lot worse, and enforced means unchanged", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...verdicts),
        fc.constantFrom(...trunkModes),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 99 }),
        fc.boolean(),
        (decision, mode, percent, bucket, stopped) => {
          const { verdict, enforced: unchanged } = applyMode(decision, { mode, percent, bucket, stopped });
          expect(verdicts.indexOf(verdict)).toBeLessThanOrEqual(verdicts.indexOf(decision));
          expect(unchanged).toBe(verdict === decision);
        },
      ),
    );
  });
});

describe("what is given about a trunk", () => {
  test("a trunk id has small letters, digits and hyphens, and is not the reserved word", () => {
    expect(parseTrunkId("trunk", "intl-1")).toBe("intl-1");
    for (const wrong of ["", "Intl", "-a", "a b", "international", "a".repeat(64)]) {
      expect(() => parseTrunkId("trunk", wrong)).toThrow(InvalidInput);
    }
  });

  test("a percentage is a whole number from 0 to 100", () => {
    expect(parsePercent("percent", 100)).toBe(100);
    for (const wrong of [-1, 101, 0.5, Number.NaN]) {
      expect(() => parsePercent("percent", wrong)).toThrow(InvalidInput);
    }
  });
});
