import { describe, expect, test } from "vitest";
import { basisObjection, legalBases, parseBasis, parseReason, reasonCodes } from "#domain/catalogue.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { actions, parseAction, regionOfId } from "#domain/vocabulary.ts";

describe("the catalogues of legal bases and reasons", () => {
  test("codes are unique and every title is in three languages", () => {
    for (const items of [legalBases, reasonCodes]) {
      expect(new Set(items.map((item) => item.code)).size).toBe(items.length);
      expect(items.every(({ title }) => title.en !== "" && title.kk !== "" && title.ru !== "")).toBe(true);
    }
  });

  test("every action has a basis and a reason", () => {
    for (const action of actions) {
      expect(legalBases.some((basis) => basis.actions.includes(action))).toBe(true);
      expect(reasonCodes.some((reason) => reason.actions.includes(action))).toBe(true);
    }
  });

  test("an unknown code is refused with the codes that would be right", () => {
    expect(() => parseBasis("basis", "no-law")).toThrow(
      expect.objectContaining({
        code: "unknown-basis",
        remedy: expect.stringContaining("communications-law-41-1"),
      }),
    );
    expect(() => parseReason("reason", "boredom", "block")).toThrow(
      expect.objectContaining({ code: "unknown-reason", remedy: expect.stringContaining("fraud") }),
    );
  });

  test("a reason must fit its use", () => {
    expect(parseReason("reason", "fraud", "block").code).toBe("fraud");
    expect(parseReason("reason", "mistake", "revoke").code).toBe("mistake");
    expect(() => parseReason("reason", "appeal-upheld", "block")).toThrow(InvalidInput);
  });

  test("a basis names what it does not carry", () => {
    const observe = parseBasis("basis", "criminal-procedure-code-231");
    const fitting = {
      action: "observe",
      targetKind: "number",
      role: "regional-prosecutor",
      termDays: 30,
    } as const;
    expect(basisObjection(observe, fitting)).toBeUndefined();
    expect(basisObjection(observe, { ...fitting, action: "block" })?.field).toBe("action");
    expect(basisObjection(observe, { ...fitting, role: "operator" })?.field).toBe("basis");
    expect(basisObjection(observe, { ...fitting, termDays: 31 })?.field).toBe("expires");
    const appeal = parseBasis("basis", "administrative-procedure-code-91");
    expect(basisObjection(appeal, { ...fitting, action: "allow", targetKind: "range" })?.field).toBe(
      "target",
    );
  });
});

describe("words and ids", () => {
  test("a word outside of its vocabulary is refused with the words that would be right", () => {
    expect(() => parseAction("action", "explode")).toThrow(
      expect.objectContaining({ code: "unknown-value", field: "action", value: "explode" }),
    );
  });

  test("the region of an id is all before its ULID, hyphens included", () => {
    expect(regionOfId("astana-01J9ZC3V5Y6K7M8N9P0Q1R2S3T")).toBe("astana");
    expect(regionOfId("almaty-region-01J9ZC3V5Y6K7M8N9P0Q1R2S3T")).toBe("almaty-region");
    expect(regionOfId("nonsense")).toBe("");
  });
});
