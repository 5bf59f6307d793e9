import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDirectiveReason, isForgedReason } from "#domain/decision.ts";
import { compareStrictness, verdicts } from "#domain/vocabulary.ts";
import type { Call } from "../../services/cli/traffic/calls.ts";
import { readPopulation } from "../../services/cli/traffic/population.ts";
import { TruthLedger, type Answer, type Outcome } from "../../services/cli/traffic/truth.ts";
import { takeCalls } from "./a-small-nation.ts";

const population = readPopulation();
const allow: Answer = { verdict: "allow", decision: "allow", reason: "no-match" };
const blocked: Answer = { verdict: "block", decision: "block", reason: "number" };
const warned: Answer = { verdict: "warn", decision: "warn", reason: "number" };
const forged: Answer = { verdict: "block", decision: "block", reason: "forged" };
const inShadow: Answer = { verdict: "allow", decision: "block", reason: "number" };

const answered = (answer: Answer, region = "north"): Outcome => ({ kind: "answered", region, answer });

function call(given: Partial<Call> = {}): Call {
  return {
    kind: "campaign",
    redial: false,
    calling: "+12092705358",
    called: "+77172123456",
    attributedTo: "north",
    identifier: "charging-id",
    questions: [],
    ...given,
  };
}

const isInterception = ({ verdict, reason }: Answer) =>
  (verdict === "block" || verdict === "divert") && isDirectiveReason(reason);

/** Records calls one minute apart. */
function ledgerOf(...recorded: readonly (readonly [Call, ...Outcome[]])[]): TruthLedger {
  const ledger = new TruthLedger();
  for (const [index, [ofCall, ...outcomes]] of recorded.entries())
    ledger.record(ofCall, outcomes, index * 60_000);
  return ledger;
}

describe("what the capital must count", () => {
  it("is a call once, with its strictest verdict, when two regions were asked about it", () => {
    const expected = ledgerOf([call(), answered(allow, "north"), answered(blocked, "south")]).expected();
    expect(expected).toMatchObject({ calls: 1, questions: 2, intercepted: 1 });
    expect(expected.byVerdict).toEqual({ allow: 0, warn: 0, divert: 0, block: 1 });
    expect(expected.byRegion).toEqual({ north: { calls: 1, intercepted: 1, forged: 0 } });
  });

  it("is two calls when its switches gave no id, since regions cannot join their keys", () => {
    const expected = ledgerOf([
      call({ identifier: "none" }),
      answered(allow, "north"),
      answered(allow, "south"),
    ]).expected();
    expect(expected).toMatchObject({ calls: 2, questions: 2, fallbackCalls: 2 });
  });

  it("is one interception for all redials of a pair within a day, and raw calls beside", () => {
    const recorded = [call(), call({ redial: true }), call({ redial: true })].map(
      (each) => [each, answered(blocked)] as const,
    );
    expect(ledgerOf(...recorded).expected()).toMatchObject({ calls: 3, intercepted: 1 });
  });

  it("is one interception when a redial is seen by another switch too, as long as one region knows the pair", () => {
    const expected = ledgerOf(
      [call(), answered(blocked, "north")],
      [call({ redial: true }), answered(blocked, "north"), answered(blocked, "south")],
    ).expected();
    expect(expected.intercepted).toBe(1);
  });

  it("is an interception in each region that knows nothing of the other, since redials are recognised within one", () => {
    const expected = ledgerOf(
      [call(), answered(allow, "north"), answered(blocked, "south")],
      [call({ redial: true }), answered(blocked, "north")],
    ).expected();
    expect(expected.intercepted).toBe(2);
  });

  it("is an interception again on the next day of Kazakhstan", () => {
    const ledger = new TruthLedger();
    for (const time of ["18:58", "18:59", "19:00", "19:01"]) {
      ledger.record(call(), [answered(blocked)], Date.parse(`2026-03-02T${time}:00Z`));
    }
    expect(ledger.expected()).toMatchObject({ calls: 4, intercepted: 2 });
  });

  it("is an interception at the first call that was stopped, not at an earlier one that went on", () => {
    expect(
      ledgerOf([call(), answered(allow)], [call({ redial: true }), answered(blocked)]).expected().intercepted,
    ).toBe(1);
  });

  it("never adds forged calls to interceptions", () => {
    const expected = ledgerOf([call({ kind: "forged-fixed" }), answered(forged)]).expected();
    expect(expected).toMatchObject({ calls: 1, intercepted: 0, forged: 1 });
  });

  it("is neither an interception nor a stop when a trunk in shadow let the call go on", () => {
    const expected = ledgerOf([call(), answered(inShadow)]).expected();
    expect(expected).toMatchObject({ calls: 1, intercepted: 0, shadowStopped: 1 });
    expect(expected.byVerdict.allow).toBe(1);
  });

  it("is unattributed when nobody said where the called person lives", () => {
    const expected = ledgerOf([call({ attributedTo: "" }), answered(warned)]).expected();
    expect(expected.byRegion).toEqual({ unattributed: { calls: 1, intercepted: 0, forged: 0 } });
  });

  it("is a call also when its answer came too late for the switch", () => {
    const ledger = ledgerOf([call(), { kind: "late", region: "north", answer: blocked }]);
    expect(ledger.expected()).toMatchObject({ calls: 1, intercepted: 1, questions: 1 });
    expect(ledger.byKind.campaign).toMatchObject({ calls: 1, caught: 0, missed: 1, unanswered: 1 });
  });

  it("is uncertain for a call whose only question was lost with the stream, and no call when it was never sent", () => {
    const ledger = ledgerOf(
      [call(), { kind: "lost", region: "north" }],
      [call(), { kind: "unsent", region: "north" }],
      [call(), { kind: "lost", region: "north" }, answered(allow, "south")],
    );
    expect(ledger.expected().calls).toBe(1);
    expect(ledger.uncertainCalls).toBe(1);
    expect(ledger.questions).toEqual({ answered: 1, late: 0, lost: 2, unsent: 1 });
  });

  it("agrees with counting sets of keys, for any calls and answers", () => {
    const answers = fc.record({
      verdict: fc.constantFrom(...verdicts),
      decision: fc.constantFrom(...verdicts),
      reason: fc.constantFrom("no-match", "number", "range", "forged", "do-not-originate", "forged-unknown"),
    });
    const outcomes = fc.oneof(answers, fc.constantFrom("lost" as const, "unsent" as const));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9_999 }),
        fc.array(outcomes, { minLength: 1, maxLength: 300 }),
        (seed, drawn) => {
          const ledger = new TruthLedger();
          const byKey = new Map<string, { of: Call; answers: Answer[] }>();
          const answerOf = new Map<string, Answer>();
          const pairsByRegion = new Set<string>();
          let next = 0;
          for (const [index, made] of takeCalls(population, seed, 200).entries()) {
            const settled = made.questions.map(({ region }): Outcome => {
              const outcome = drawn[next++ % drawn.length] ?? "unsent";
              if (typeof outcome === "string") return { kind: outcome, region };
              // One pair is told the same by every region, as long as they are in sync.
              const pair = made.calling + made.called;
              const answer = answerOf.get(pair) ?? outcome;
              answerOf.set(pair, answer);
              if (isInterception(answer)) pairsByRegion.add(`${region} ${pair}`);
              return { kind: "answered", region, answer };
            });
            ledger.record(made, settled, index);
            for (const outcome of settled) {
              if (!("answer" in outcome)) continue;
              const key = made.identifier === "none" ? `${index} ${outcome.region}` : String(index);
              byKey.set(key, { of: made, answers: [...(byKey.get(key)?.answers ?? []), outcome.answer] });
            }
          }
          const strictest = [...byKey.values()].map(({ of, answers: all }) => ({
            pair: of.calling + of.called,
            ...(all.toSorted((left, right) => compareStrictness(right.verdict, left.verdict))[0] ?? allow),
          }));
          const expected = ledger.expected();
          expect(expected.calls).toBe(byKey.size);
          const intercepted = new Set(strictest.filter(isInterception).map(({ pair }) => pair));
          expect(expected.intercepted).toBeGreaterThanOrEqual(intercepted.size);
          expect(expected.intercepted).toBeLessThanOrEqual(pairsByRegion.size);
          expect(expected.forged).toBe(
            strictest.filter(({ verdict, reason }) => verdict === "block" && isForgedReason(reason)).length,
          );
          for (const verdict of verdicts) {
            expect(expected.byVerdict[verdict]).toBe(
              strictest.filter((each) => each.verdict === verdict).length,
            );
          }
          const sum = (count: "calls" | "intercepted" | "forged") =>
            Object.values(expected.byRegion).reduce((total, figures) => total + figures[count], 0);
          expect([sum("calls"), sum("intercepted"), sum("forged")]).toEqual([
            expected.calls,
            expected.intercepted,
            expected.forged,
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("how fraud and ordinary calls fared", () => {
  it("tells what was caught, missed, missed because of the mode, and wrongly stopped", () => {
    const ledger = ledgerOf(
      [call(), answered(blocked)],
      [call(), answered(warned)],
      [call(), answered(allow)],
      [call(), answered(inShadow)],
      [call({ kind: "ordinary-foreign" }), answered(blocked)],
      [call({ kind: "ordinary-foreign" }), answered(warned)],
      [call({ kind: "ordinary-foreign" }), answered(allow)],
    );
    expect(ledger.byKind.campaign).toMatchObject({
      calls: 4,
      caught: 2,
      missed: 2,
      missedByMode: 1,
      wronglyStopped: 0,
    });
    expect(ledger.byKind["ordinary-foreign"]).toMatchObject({
      calls: 3,
      wronglyStopped: 1,
      wronglyWarned: 1,
      missed: 0,
    });
  });
});
