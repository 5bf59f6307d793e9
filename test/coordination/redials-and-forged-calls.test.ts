import { expect, test } from "vitest";
import { answeredKey } from "#domain/call.ts";
import type { AnsweredCall, Counters } from "#proto/qalqan/events/v1/events.ts";
import { countAll, type CountedCall } from "../../services/coordination/domain/statistics.ts";

function answered(call: string, given: Partial<AnsweredCall> = {}): AnsweredCall {
  return {
    key: Buffer.from(answeredKey(call)),
    minute: 29_500_000,
    verdict: "block",
    reason: "number",
    attributedTo: "north",
    firstOfPairToday: true,
    fallbackKey: false,
    ...given,
  };
}

const heardFrom = (region: string, ...calls: AnsweredCall[]): Counters => ({
  region,
  source: "screening-0:boot",
  flush: 1,
  minutes: [],
  calls,
});

/** What the figures of the minute are after each was taken in a step of its own. */
function figuresAfter(...heard: readonly Counters[]) {
  const calls = new Map<string, CountedCall>();
  const sum = { calls: 0, intercepted: 0, forged: 0 };
  for (const counters of heard) {
    const change = countAll([counters], new Map(), calls);
    for (const call of change.calls) calls.set(call.key, call);
    for (const delta of change.callDeltas.filter(({ grain }) => grain === "minute")) {
      sum.calls += delta.calls;
      sum.intercepted += delta.intercepted;
      sum.forged += delta.forged;
    }
  }
  return sum;
}

test("a redial that one of its regions knows is no interception, whichever region is heard first", () => {
  const known = heardFrom("north", answered("redial", { firstOfPairToday: false }));
  const unknown = heardFrom("south", answered("redial"));
  expect(figuresAfter(known, unknown)).toEqual({ calls: 1, intercepted: 0, forged: 0 });
  expect(figuresAfter(unknown, known)).toEqual({ calls: 1, intercepted: 0, forged: 0 });
});

test("a first call that two switches of one region asked about is one interception", () => {
  const twice = heardFrom("north", answered("call"), answered("call"));
  expect(figuresAfter(twice)).toEqual({ calls: 1, intercepted: 1, forged: 0 });
});

test("forged calls, those that show a protected number among them, are never interceptions", () => {
  const calls = ["forged", "do-not-originate", "number", "range"].map((reason) =>
    answered(reason, { reason }),
  );
  expect(figuresAfter(heardFrom("north", ...calls))).toEqual({ calls: 4, intercepted: 2, forged: 2 });
});
