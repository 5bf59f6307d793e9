import { createHash } from "node:crypto";
import { get } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call } from "#platform/grpc-client.ts";
import type { AnsweredCall, Counters } from "#proto/qalqan/events/v1/events.ts";
import { startOf, stretchesSince } from "../../services/coordination/domain/grains.ts";
import {
  countAll,
  type CountedCall,
  type MinuteState,
  minuteKey,
} from "../../services/coordination/domain/statistics.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";

const thisMinute = Math.floor(Date.now() / 60_000);

function answered(name: string, change: Partial<AnsweredCall> = {}): AnsweredCall {
  return {
    key: createHash("sha256").update(name).digest().subarray(0, 8),
    minute: thisMinute,
    verdict: "allow",
    reason: "none",
    attributedTo: "almaty",
    firstOfPairToday: true,
    fallbackKey: false,
    ...change,
  };
}

function countersOf(region: string, flush: number, questions: number, calls: AnsweredCall[]): Counters {
  const count = {
    verdict: "allow",
    reason: "none",
    trunk: "intl-1",
    mode: "shadow",
    decision: "block",
    questions,
  };
  return {
    region,
    source: "screening-0:boot",
    flush,
    minutes: [{ minute: thisMinute, counts: [count] }],
    calls,
  };
}

describe("at the capital", () => {
  let capital: CapitalUnderTest;
  beforeAll(async () => {
    capital = await CapitalUnderTest.start(["astana", "almaty"], { CONSOLE_OPEN_ON_LOOPBACK: "true" });
  });
  afterAll(async () => {
    await capital.stop();
  });
  const figures = async (region = "") => {
    const { client } = capital;
    const request = { region, sinceMs: Date.now() - 3_600_000 };
    return call(client.getStatistics.bind(client), request, {
      metadata: await capital.token("operator", "astana"),
    });
  };

  test("a call that two regions answered counts once, with its strictest verdict", async () => {
    const both = answered("one", { verdict: "block", reason: "number" });
    await capital.send("astana", "events", {
      $case: "counters",
      value: countersOf("astana", 1, 2, [answered("one"), answered("two")]),
    });
    await capital.send("almaty", "events", { $case: "counters", value: countersOf("almaty", 1, 1, [both]) });
    await until(async () => (await figures()).questions === 3);
    const nation = await figures();
    expect(nation).toMatchObject({ calls: 2, intercepted: 1, forged: 0, questions: 3, shadowStopped: 3 });
    expect(Object.fromEntries(nation.byVerdict.map(({ name, count }) => [name, count]))).toEqual({
      allow: 1,
      warn: 0,
      divert: 0,
      block: 1,
    });
    expect(nation.byRegion).toEqual([{ region: "almaty", calls: 2, intercepted: 1, forged: 0 }]);
  });

  test("a flush that comes again, or late, changes nothing", async () => {
    const later = countersOf("astana", 3, 9, [answered("three", { attributedTo: "", fallbackKey: true })]);
    await capital.send("astana", "events", { $case: "counters", value: later });
    await capital.send("astana", "events", { $case: "counters", value: countersOf("astana", 2, 5, []) });
    await capital.send("astana", "events", { $case: "counters", value: later });
    await until(async () => (await figures()).questions === 10);
    await capital.coordination.killAndRestart();
    await capital.ready();
    await capital.send("astana", "events", { $case: "counters", value: countersOf("astana", 4, 10, []) });
    await until(async () => (await figures()).questions === 11);
    expect(await figures()).toMatchObject({ calls: 3, fallbackShare: 1 / 3 });
    expect((await figures("unattributed")).calls).toBe(1);
  });

  test("forged calls are counted apart from intercepted ones, and redials are one", async () => {
    const before = await figures();
    await capital.send("astana", "events", {
      $case: "counters",
      value: countersOf("astana", 5, 10, [
        answered("forged", { verdict: "block", reason: "forged" }),
        answered("first", { verdict: "divert", reason: "number" }),
        answered("redial", { verdict: "divert", reason: "number", firstOfPairToday: false }),
      ]),
    });
    await until(async () => (await figures()).calls === before.calls + 3);
    expect(await figures()).toMatchObject({ intercepted: before.intercepted + 1, forged: before.forged + 1 });
  });

  test("the page reads the same figures without a token on this machine, and hears of changes", async () => {
    const json = (await (
      await fetch(`http://${capital.http}/v1/statistics?sinceMs=${Date.now() - 3_600_000}`)
    ).json()) as { calls: number; byVerdict: object };
    expect(json.calls).toBe((await figures()).calls);
    const response = await fetch(`http://${capital.http}/v1/events`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    await until(async () => {
      text += (await reader?.read())?.value ?? "";
      return text.includes('"lastHour"') && text.includes('"regions"');
    });
    await reader?.cancel();
    const bad = await fetch(`http://${capital.http}/v1/statistics?sinceMs=yesterday`);
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({ code: "invalid-time", field: "sinceMs" });
  });

  test("who asks this machine under another name needs a token: a page of others, or a proxy for them", async () => {
    const statusFor = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const asked = get(`http://${capital.http}/v1/status`, { headers: { host } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        asked.on("error", reject);
      });
    expect(await statusFor("localhost:8080")).toBe(200);
    expect(await statusFor("[::1]:8080")).toBe(200);
    expect(await statusFor("rebound.example:8080")).toBe(401);
    expect(await statusFor("127.0.0.1.example")).toBe(401);
  });
});

test("whatever the order and the repeats, the figures are the same", () => {
  const verdict = fc.constantFrom("allow", "warn", "divert", "block");
  const anyCall = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    minute: fc.integer({ min: thisMinute - 3, max: thisMinute }),
    verdict,
    reason: fc.constantFrom("number", "range", "forged"),
    attributedTo: fc.constantFrom("", "almaty"),
    firstOfPairToday: fc.boolean(),
    fallbackKey: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyCall, { maxLength: 12 }), fc.func(fc.integer()), (given, orderOf) => {
      const calls = given.map(({ name, ...change }) => answered(name, change));
      const shuffled = [...calls, ...calls].toSorted((left, right) => orderOf(left) - orderOf(right));
      expect(totals(shuffled)).toEqual(totals(calls));
    }),
  );
});

/** Figures after calls came one by one, through what is kept between steps. */
function totals(calls: readonly AnsweredCall[]) {
  const kept = new Map<string, CountedCall>();
  const sums = new Map<string, number[]>();
  calls.forEach((each, index) => {
    const change = countAll([{ ...countersOf("astana", index, 0, [each]), minutes: [] }], new Map(), kept);
    for (const counted of change.calls) kept.set(counted.key, counted);
    for (const {
      grain,
      start,
      region,
      verdict,
      calls: count,
      intercepted,
      forged,
      fallback,
    } of change.callDeltas) {
      const key = [grain, start, region, verdict].join(" ");
      const before = sums.get(key) ?? [0, 0, 0, 0];
      sums.set(
        key,
        [count, intercepted, forged, fallback].map((value, place) => value + (before[place] ?? 0)),
      );
    }
  });
  return Object.fromEntries([...sums].filter(([, values]) => values.some((value) => value !== 0)));
}

test("cumulative counts of one source: the highest flush is what stands", () => {
  const kept = new Map<string, MinuteState>();
  let questions = 0;
  for (const [flush, count] of [
    [1, 4],
    [3, 9],
    [2, 6],
    [3, 9],
    [4, 9],
  ] as const) {
    const change = countAll([countersOf("astana", flush, count, [])], kept, new Map());
    for (const minute of change.minutes)
      kept.set(minuteKey(minute.region, minute.source, minute.minute), minute);
    for (const delta of change.questionDeltas) if (delta.grain === "day") questions += delta.questions;
  }
  expect(questions).toBe(9);
});

test("any time since then is covered once, by few stretches", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 25_000_000, max: 30_000_000 }),
      fc.integer({ min: 0, max: 6_000_000 }),
      (since, later) => {
        const stretches = stretchesSince(since, since);
        const minute = since + later;
        const covering = stretches.filter(
          ({ grain, from, to }) => startOf(grain, minute) >= from && startOf(grain, minute) < to,
        );
        expect(covering).toHaveLength(1);
        expect(stretches.length).toBeLessThanOrEqual(5);
      },
    ),
  );
});

test("a day begins at midnight in Kazakhstan, five hours ahead of UTC", () => {
  const minute = Date.UTC(2026, 0, 15, 20, 30) / 60_000;
  expect(startOf("day", minute)).toBe(Date.UTC(2026, 0, 15, 19) / 60_000);
  expect(startOf("month", Date.UTC(2025, 11, 31, 19) / 60_000)).toBe(Date.UTC(2025, 11, 31, 19) / 60_000);
  expect(startOf("year", Date.UTC(2025, 11, 31, 18, 59) / 60_000)).toBe(Date.UTC(2024, 11, 31, 19) / 60_000);
});
