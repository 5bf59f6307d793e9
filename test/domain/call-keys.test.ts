import { describe, expect, test } from "vitest";
import { answeredKey, attributedRegion, callBucket, callKeyOf, pairKey } from "#domain/call.ts";
import { DayKeys } from "#domain/day-keys.ts";
import { parseDialled } from "#domain/number.ts";

const astanaKey = new DayKeys(Buffer.alloc(32, 1));
const almatyKey = new DayKeys(Buffer.alloc(32, 2));
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

  test("a pair of numbers has one key a region and day, and direction matters", () => {
    const { calling, called, atMs } = trace;
    const key = pairKey(calling, called, astanaKey, atMs);
    expect(pairKey(calling, parseDialled("87012345678"), astanaKey, atMs)).toBe(key);
    expect(pairKey(called, calling, astanaKey, atMs)).not.toBe(key);
    expect(pairKey(calling, called, almatyKey, atMs)).not.toBe(key);
  });

  test("changes at midnight in Kazakhstan, and says nothing about the same numbers on another day", () => {
    const { calling, called } = trace;
    // 2027-01-15 00:00 UTC+5
    const midnightMs = Date.UTC(2027, 0, 14, 19);
    const pairAt = (atMs: number) => pairKey(calling, called, astanaKey, atMs);
    const hourMs = 3_600_000;
    expect(pairAt(midnightMs - 1)).toBe(pairAt(midnightMs - 24 * hourMs));
    expect(pairAt(midnightMs)).not.toBe(pairAt(midnightMs - 1));
    expect(pairAt(midnightMs)).toBe(pairAt(midnightMs + 24 * hourMs - 1));
    const callAt = (atMs: number) => callKeyOf({ ...trace, atMs }, astanaKey).callKey;
    expect(callAt(midnightMs - 10_000)).toBe(callAt(midnightMs - 1));
    expect(callAt(midnightMs)).toBe(callAt(midnightMs + 9_999));
  });

  test("is keyed as RFC 5869 says", () => {
    // HKDF-SHA256 of 32 bytes 0x01, no salt, info "qalqan called numbers 0", as openssl kdf gives it.
    expect(Buffer.from(astanaKey.at(0)).toString("hex")).toBe(
      "cbd27a631dd456fc6e206086c6ffe34f487ae8dce6e25ca082157c8c1b403550",
    );
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
