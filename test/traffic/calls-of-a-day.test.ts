import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attributedRegion } from "#domain/call.ts";
import { dialledText, numberClass, parseDialled } from "#domain/number.ts";
import type { Call } from "../../services/cli/traffic/calls.ts";
import { momentsOf } from "../../services/cli/traffic/moments.ts";
import { readPopulation, truthKinds, type TruthKind } from "../../services/cli/traffic/population.ts";
import { smallNation, take, takeCalls } from "./a-small-nation.ts";

const population = readPopulation();
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const many = 40_000;
/** Six standard deviations of the rarest share at 40,000 calls stay within it. */
const near = 0.015;

const shareOf = (calls: readonly Call[], has: (call: Call) => boolean) =>
  calls.filter(has).length / calls.length;

describe("the calls of a seed", () => {
  it("are the same for the same seed", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(takeCalls(population, seed, 300)).toEqual(takeCalls(population, seed, 300));
      }),
      { numRuns: 20 },
    );
  });

  it("differ between seeds", () => {
    const numbers = (seed: number) =>
      takeCalls(population, seed, 50).map(({ calling, called }) => calling + called);
    expect(numbers(1)).not.toEqual(numbers(2));
  });

  it("differ between two runs in the ids that switches give, and in nothing else", () => {
    const other = takeCalls(population, 5, 500, { ...smallNation, run: "run-2" });
    const text = JSON.stringify(takeCalls(population, 5, 500));
    expect(JSON.stringify(other).replaceAll("run-2-", "run-1-")).toBe(text);
    expect(JSON.stringify(other)).not.toBe(text);
  });

  it("come in the shares of the population", () => {
    const calls = takeCalls(population, 11, many);
    for (const kind of truthKinds) {
      const all = shareOf(calls, (call) => call.kind === kind);
      expect(Math.abs(all - population.callShares[kind]), `share of ${kind}`).toBeLessThan(near);
      const ofKind = calls.filter((call) => call.kind === kind);
      const redials = shareOf(ofKind, ({ redial }) => redial);
      expect(Math.abs(redials - population.redialShares[kind]), `redials of ${kind}`).toBeLessThan(0.08);
    }
    const twice = shareOf(calls, ({ questions }) => questions.length === 2);
    expect(Math.abs(twice - population.secondSwitchShare)).toBeLessThan(near);
    const fresh = calls.filter(({ redial }) => !redial);
    const withChargingId = shareOf(fresh, ({ identifier }) => identifier === "charging-id");
    expect(Math.abs(withChargingId - population.identifiers.chargingIdShare)).toBeLessThan(near);
    const mobiles = fresh.filter(
      ({ called }) => called.startsWith("+") && numberClass(called) === "kz-mobile",
    );
    const said = shareOf(mobiles, ({ attributedTo }) => attributedTo !== "");
    expect(Math.abs(said - population.subscribers.carrierSaysRegionShare)).toBeLessThan(near);
  });

  it("are the same at any rate: only their moments differ", () => {
    const moments = momentsOf(population, 3, { beginsAtMs: 0, callsPerSecond: 10 });
    const faster = momentsOf(population, 3, { beginsAtMs: 0, callsPerSecond: 20 });
    const [slow, fast] = [moments.next().value, faster.next().value];
    expect(slow).toBeCloseTo(2 * fast, 6);
  });

  it("happen in only one region where only one takes part", () => {
    const regions = smallNation.regions.slice(0, 1);
    const calls = takeCalls(population, 4, 2_000, { ...smallNation, regions });
    expect(new Set(calls.flatMap(({ questions }) => questions.map(({ region }) => region)))).toEqual(
      new Set(["north"]),
    );
  });

  it("show no protected number where there is none", () => {
    const calls = takeCalls(population, 4, 5_000, { ...smallNation, protectedNumbers: [] });
    expect(calls.filter(({ kind }) => kind === "forged-protected")).toEqual([]);
  });
});

describe("every call", () => {
  const areaCodes = new Map(
    smallNation.regions.flatMap(({ slug, areaCodes: codes }) => codes.map((code) => [code, slug])),
  );

  it("is asked about by one switch, or by two of different regions with the same ids and numbers", () => {
    for (const { questions } of takeCalls(population, 21, 5_000)) {
      const [first, second] = questions;
      expect(questions.length).toBeLessThanOrEqual(2);
      if (second === undefined) continue;
      expect(second.region).not.toBe(first?.region);
      expect(second.request).toEqual(first?.request);
    }
  });

  it("has ids of its own", () => {
    const ids = takeCalls(population, 22, 5_000).flatMap(({ questions }) => {
      const request = questions[0]?.request;
      return [request?.chargingId, request?.callId].filter((id) => id !== "" && id !== undefined);
    });
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("is understood by the platform as it was meant, whatever form its numbers are written in", () => {
    for (const call of takeCalls(population, 23, 5_000)) {
      const request = call.questions[0]?.request;
      expect(dialledText(parseDialled(request?.callingNumber ?? ""))).toBe(call.calling);
      const called = parseDialled(request?.calledNumber ?? "");
      expect(dialledText(called)).toBe(call.called);
      expect(attributedRegion(called, request?.attributedTo ?? "", areaCodes)).toBe(call.attributedTo);
    }
  });

  it("is of the kind that it is said to be", () => {
    const callers: Record<TruthKind, RegExp> = {
      "ordinary-domestic": /^dom-1 (kz-mobile|kz-fixed|withheld)$/,
      "ordinary-foreign": /^intl-[12] (foreign|withheld)$/,
      campaign: /^intl-[12] foreign campaign$/,
      "walking-range": /^intl-[12] foreign$/,
      "forged-mobile": /^intl-[12] kz-mobile$/,
      "forged-fixed": /^intl-[12] kz-fixed$/,
      "forged-protected": /^intl-[12] kz-fixed protected$/,
      emergency: /^(dom-1 kz-(mobile|fixed)|intl-[12] foreign campaign)$/,
    };
    for (const { kind, calling, called, questions } of takeCalls(population, 24, 20_000)) {
      const words = [questions[0]?.request.trunk, calling === "" ? "withheld" : numberClass(calling)];
      if (smallNation.campaignNumbers.includes(calling)) words.push("campaign");
      if (smallNation.protectedNumbers.includes(calling)) words.push("protected");
      expect(words.join(" ")).toMatch(callers[kind]);
      expect(called).toMatch(kind === "emergency" ? /^\d{3,4}$/ : /^\+7\d{10}$/);
    }
  });

  it("repeats numbers and trunk of an earlier call of its kind at the same switch when it is a redial", () => {
    const seen = new Set<string>();
    const unknown = takeCalls(population, 25, 10_000).filter(
      ({ kind, redial, calling, called, questions }) => {
        const pair = [kind, calling, called, questions[0]?.request.trunk, questions[0]?.region].join(" ");
        const isKnown = seen.has(pair);
        seen.add(pair);
        return redial && !isKnown;
      },
    );
    expect(unknown).toEqual([]);
  });
});

describe("a walking range", () => {
  it("goes through its block number by number", () => {
    const walked = takeCalls(population, 31, 20_000)
      .filter(({ kind }) => kind === "walking-range")
      .map(({ calling }) => Number(calling.slice(1)));
    const seen = new Set<number>();
    const beginnings = walked.filter((number) => {
      const begins = !seen.has(number - 1);
      expect(seen.has(number), "no number is seen twice").toBe(false);
      seen.add(number);
      return begins;
    });
    const { activeWalks, blockSize } = population.walkingRanges;
    expect(beginnings.length).toBeLessThanOrEqual(Math.ceil(walked.length / blockSize) + activeWalks);
  });
});

describe("a day", () => {
  it("has the calls of each hour that the population says, by the clock of Kazakhstan", () => {
    const midnightUtcMs = Date.parse("2026-03-02T00:00:00Z");
    const byHour = Array.from({ length: 24 }, () => 0);
    for (const afterMs of momentsOf(population, 7, { beginsAtMs: midnightUtcMs, callsPerSecond: 0.5 })) {
      if (afterMs >= 86_400_000) break;
      const hour = (new Date(midnightUtcMs + afterMs).getUTCHours() + 5) % 24;
      byHour[hour] = (byHour[hour] ?? 0) + 1;
    }
    for (const [hour, weight] of population.hourWeights.entries()) {
      const expected = 0.5 * 3_600 * weight;
      // Arrivals are independent: the standard deviation is the root of their number.
      expect(Math.abs((byHour[hour] ?? 0) - expected), `hour ${hour}`).toBeLessThan(
        6 * Math.sqrt(expected) + 1,
      );
    }
  });

  it("never goes back in time", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 1, max: 10_000 }),
        (seed, beginsAtMs, callsPerSecond) => {
          const moments = take(momentsOf(population, seed, { beginsAtMs, callsPerSecond }), 200);
          expect(moments).toEqual(moments.toSorted((left, right) => left - right));
          expect(moments[0]).toBeGreaterThan(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
