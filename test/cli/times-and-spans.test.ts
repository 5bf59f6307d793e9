import { describe, expect, it } from "vitest";
import { parseEnd, parseSince, parseSpan } from "../../services/cli/durations.ts";

const now = Date.parse("2026-03-01T10:00:00Z");
const hour = 3_600_000;

describe("an end", () => {
  it.each([
    ["30m", now + hour / 2],
    ["24h", now + 24 * hour],
    ["7d", now + 7 * 24 * hour],
    ["2w", now + 14 * 24 * hour],
    ["2026-03-02", Date.parse("2026-03-02T00:00:00Z")],
    ["2026-03-02T18:00:00+05:00", Date.parse("2026-03-02T13:00:00Z")],
    ["2026-03-02T18:00Z", Date.parse("2026-03-02T18:00:00Z")],
    // Whether it is still to come, the service says, in the same words as to every other client.
    ["2020-01-01T00:00:00Z", Date.parse("2020-01-01T00:00:00Z")],
  ])("%s is read", (text, atMs) => {
    expect(parseEnd("expires", text, now)).toBe(atMs);
  });

  it.each([
    "",
    "7",
    "d",
    "7 days",
    "-7d",
    "1.5h",
    "tomorrow",
    "2026-13-01",
    "2026-03-02T18:00:00",
    "99999999d",
  ])("%j is refused with field, value and remedy", (text) => {
    expect(() => parseEnd("expires", text, now)).toThrow(
      expect.objectContaining({ field: "expires", value: text, remedy: expect.stringContaining("7d") }),
    );
  });
});

it("a beginning lies back from now", () => {
  expect(parseSince("since", "24h", now)).toBe(now - 24 * hour);
  expect(parseSince("since", "2026-02-01", now)).toBe(Date.parse("2026-02-01"));
  expect(parseSpan("90s")).toBe(90_000);
});
