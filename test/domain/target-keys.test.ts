import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { Target } from "#domain/target.ts";
import {
  parseTargetKey,
  rangeContains,
  rangeSize,
  readTargetKey,
  targetFrom,
  targetKey,
  targetNation,
} from "#domain/target.ts";

const number = fc.oneof(fc.stringMatching(/^\+7[0-9]{10}$/), fc.stringMatching(/^\+[1-689][0-9]{6,14}$/));
const trunk = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/).filter((id) => id !== "international");
const range = fc
  .tuple(fc.stringMatching(/^\+[1-689][0-9]{10}$/), fc.stringMatching(/^\+[1-689][0-9]{10}$/))
  .map(([left, right]): Target => {
    const [from = "", to = ""] = [left, right].toSorted();
    return { kind: "range", from, to };
  });
const target: fc.Arbitrary<Target> = fc.oneof(
  number.map((each): Target => ({ kind: "number", number: each })),
  trunk.map((each): Target => ({ kind: "trunk", trunk: each })),
  fc
    .tuple(number, fc.oneof(trunk, fc.constant("international")))
    .map(([each, on]): Target => ({ kind: "number-on-trunk", number: each, trunk: on })),
  range,
);

describe("the canonical key of a target", () => {
  test("reading what was written gives the target again, and the key again", () => {
    fc.assert(
      fc.property(target, (each) => {
        expect(parseTargetKey(targetKey(each))).toEqual(each);
        expect(targetKey(parseTargetKey(targetKey(each)))).toBe(targetKey(each));
      }),
    );
  });

  test("any other text is refused or is its own key", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("+-@:trunkintl0123456789")), maxLength: 40 }),
        (text) => {
          const read = readTargetKey(text);
          expect(read === undefined || targetKey(read) === text).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    "",
    "+7701",
    "77012345678",
    "trunk:",
    "trunk:international",
    "+77012345678@",
    "+77012345679-+77012345678",
    "+4420-+4430",
  ])("%j is no key", (text) => {
    expect(() => parseTargetKey(text)).toThrow(InvalidInput);
  });
});

describe("a target as a person gives it", () => {
  test.each([
    [{ number: "8 701 234 56 78" }, "+77012345678"],
    [{ number: "87012345678", trunk: "intl-1" }, "+77012345678@intl-1"],
    [{ number: "87012345678", trunk: "international" }, "+77012345678@international"],
    [{ trunk: "intl-1", number: "", range: "" }, "trunk:intl-1"],
    [{ range: "+44200000000-+44299999999" }, "+44200000000-+44299999999"],
    [{ range: "8-701-000-00-00 - 8-701-000-00-99" }, "+77010000000-+77010000099"],
    [{ range: "+77010000000..+77010000099" }, "+77010000000-+77010000099"],
    [{ range: "+4420*" }, "+442000000000-+442099999999"],
    [{ range: "+7 701 *" }, "+77010000000-+77019999999"],
    [{ range: "+37529*" }, "+375290000000-+375299999999"],
  ])("%j is %s", (input, key) => {
    expect(targetKey(targetFrom(input))).toBe(key);
  });

  test.each([
    [{}, "invalid-target"],
    [{ number: "+77012345678", range: "+4420*" }, "invalid-target"],
    [{ trunk: "intl-1", range: "+4420*" }, "invalid-target"],
    [{ number: "7701abc4567" }, "invalid-number"],
    [{ trunk: "international" }, "invalid-trunk"],
    [{ trunk: "INTL 1" }, "invalid-trunk"],
    [{ range: "+77010000099-+77010000000" }, "invalid-range"],
    [{ range: "+77010000000-+442079460958" }, "invalid-range"],
    [{ range: "+77010000000" }, "invalid-range"],
    [{ range: "+35318*" }, "invalid-range"],
    [{ range: "*" }, "invalid-range"],
    [{ range: "-".repeat(10_000) }, "invalid-range"],
  ])("%j is refused: %s", (input, code) => {
    let thrown: unknown;
    try {
      targetFrom(input);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidInput);
    expect(thrown).toMatchObject({ code });
    expect((thrown as InvalidInput).remedy).not.toBe("");
  });

  test("a range from high to low is told the other way round", () => {
    expect(() => targetFrom({ range: "+77010000099-+77010000000" })).toThrow(
      expect.objectContaining({ remedy: "Give the lower number first: +77010000000-+77010000099." }),
    );
  });
});

describe("what a target means", () => {
  test("a range counts both ends and contains them", () => {
    const hundred = { from: "+77010000000", to: "+77010000099" };
    expect(rangeSize(hundred)).toBe(100);
    expect(rangeSize({ from: "+100000000000000", to: "+999999999999999" })).toBe(900_000_000_000_000);
    expect(["+77010000000", "+77010000099"].every((each) => rangeContains(hundred, each))).toBe(true);
    expect(["+77010000100", "+7701000000"].some((each) => rangeContains(hundred, each))).toBe(false);
  });

  test.each([
    ["+77012345678", "kz"],
    ["+78001234567", "kz"],
    ["+79161234567", "foreign"],
    ["+442079460958@intl-1", "foreign"],
    ["+77012345678@intl-1", "kz"],
    ["trunk:intl-1", "none"],
    ["+77010000000-+77010000099", "kz"],
    ["+79160000000-+79169999999", "foreign"],
    ["+76000000000-+79169999999", "mixed"],
    ["+69999999999-+77000000000", "mixed"],
    ["+44200000000-+44299999999", "foreign"],
  ])("%s is %s", (key, nation) => {
    expect(targetNation(parseTargetKey(key))).toBe(nation);
  });
});
