import { describe, expect, test } from "vitest";
import { answeredKey, attributedRegion, callBucket, callKeyOf, pairKey } from "#domain/call.ts";
import { parseDialled } from "#domain/number.ts";

const astanaKey = Buffer.alloc(32, 1);
const almatyKey = Buffer.alloc(32, 2);
const trace = {
  chargingId: "",
  callId: "",
  calling: parseDialled("+442079460958"),
  called: parseDialled("+77012345678"),
  atMs: 1_800_000_000_000,
};

describe("the key of a call", () => {
  test("is the charging id, else the Call-ID, and names the call alike in every region", () => {
    const both = { ...trace, chargingId: "icid-1", callId: "call-1" };
    expect(callKeyOf(both, astanaKey)).toEqual({ callKey: "icid-1", fallback: false });
    expect(callKeyOf({ ...both, chargingId: "" }, almatyKey)).toEqual({ callKey: "call-1", fallback: false });
  });

  test("is else the same for two switches of one region within ten seconds, in any dialled form", () => {
    const first = callKeyOf(trace, astanaKey);
    expect(first.fallback).toBe(true);
    expect(
      callKeyOf({ ...trace, called: parseDialled("87012345678"), atMs: trace.atMs + 9_999 }, astanaKey),
    ).toEqual(first);
    expect(callKeyOf({ ...trace, atMs: trace.atMs + 10_000 }, astanaKey)).not.toEqual(first);
  });

  test("made of numbers, is keyed: another region's differs and no number is in it", () => {
    const { callKey } = callKeyOf(trace, astanaKey);
    expect(callKeyOf(trace, almatyKey).callKey).not.toBe(callKey);
    expect(callKey).not.toContain("7012345678");
  });

  test("is counted by the first 64 bits of its SHA-256", () => {
    // printf 'abc' | sha256sum
    expect(Buffer.from(answeredKey("abc")).toString("hex")).toBe("ba7816bf8f01cfea");
  });

  test("puts a call into one of a hundred buckets, evenly; no key is bucket 0", () => {
    expect(callBucket("")).toBe(0);
    const counts = Array.from({ length: 100 }, () => 0);
    for (let call = 0; call < 20_000; call++) {
      const bucket = callBucket(`call-${call}`);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(120);
    expect(Math.max(...counts)).toBeLessThan(290);
  });

  test("a pair of numbers has one key a region, and direction matters", () => {
    const { calling, called } = trace;
    expect(pairKey(calling, called, astanaKey)).toBe(
      pairKey(calling, parseDialled("87012345678"), astanaKey),
    );
    expect(pairKey(called, calling, astanaKey)).not.toBe(pairKey(calling, called, astanaKey));
    expect(pairKey(calling, called, almatyKey)).not.toBe(pairKey(calling, called, astanaKey));
  });
});

describe("the region of the called person", () => {
  const areas = new Map([
    ["7172", "capital-city"],
    ["72772", "east"],
    ["7272", "south"],
  ]);

  test.each([
    ["+77172123456", "", "capital-city"],
    ["+77277212345", "", "east"],
    ["+77272512345", "west", "south"],
    ["+77012345678", "west", "west"],
    ["+77012345678", "", ""],
    ["+77102123456", "", ""],
    ["112", "west", "west"],
  ])("of %s, when the carrier says %j, is %j", (called, carrier, expected) => {
    expect(attributedRegion(parseDialled(called), carrier, areas)).toBe(expected);
  });
});
