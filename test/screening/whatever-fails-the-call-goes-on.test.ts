import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DayKeys, localDay } from "#domain/day-keys.ts";
import { createLog } from "#platform/log.ts";
import type { Counters } from "#proto/qalqan/events/v1/events.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { ScreenRequest } from "#proto/qalqan/screening/v1/screening.ts";
import { CallLog } from "../../services/screening/call-log.ts";
import { AppliedLog } from "../../services/screening/domain/applied-log.ts";
import { CallCounters } from "../../services/screening/domain/call-counters.ts";
import { FirstPairs } from "../../services/screening/domain/first-pairs.ts";
import { PairsFile } from "../../services/screening/store/pairs-file.ts";
import { Enforcement } from "../../services/screening/enforcement.ts";
import { LoopWatch } from "../../services/screening/loop-watch.ts";
import { readRegions } from "../../services/screening/regions.ts";
import { Reporter } from "../../services/screening/reporter.ts";
import { Screener } from "../../services/screening/screener.ts";
import { answeredKeys, countedQuestions, trunk } from "./screening-service.ts";

const log = createLog("test", "astana", "error");
log.level = "silent";
const limits = { callsPerFlushMax: 5, minutesPerFlushMax: 2, callsWaitingMax: 100, countsPerMinuteMax: 50 };

function screener() {
  const enforcement = new Enforcement("astana", log, () => undefined);
  const message = { sequence: 1, subject: "urgent.1.centre.trunkSet", data: new Uint8Array() };
  enforcement.applyEvent("urgent", message, Event.fromPartial({ body: trunk("intl-1", "international") }));
  const counters = new CallCounters("astana", "screening-0:boot", limits);
  const replica = { region: "astana", replica: "screening-0", bootId: "boot", release: "test" };
  const loop = new LoopWatch();
  const answers = new Screener({
    ...{
      replica,
      enforcement,
      counters,
      pairs: new FirstPairs(10),
      loop,
      log,
      dayKeys: new DayKeys(Buffer.alloc(32)),
      appealLines: new Set<string>(),
    },
    callLog: new CallLog("screening-0", log),
    reporter: new Reporter(enforcement, counters, { write: async () => undefined }, replica, log),
    regions: readRegions(undefined),
  });
  return { answers, enforcement, counters, loop };
}

const question = ScreenRequest.fromPartial({
  ...{ callingNumber: "+442079460111", calledNumber: "+77010000001", trunk: "intl-1" },
});

test("an error inside is answered allow, failed-open, and counted", () => {
  const { answers, enforcement, counters } = screener();
  Object.defineProperty(enforcement, "table", {
    get: () => {
      throw new TypeError("broken");
    },
  });
  expect(answers.answer(question)).toMatchObject({
    verdict: "allow",
    reason: "failed-open",
    enforced: false,
  });
  expect(counters.take(Date.now()).minutes[0]?.counts).toMatchObject([
    { reason: "failed-open", questions: 1 },
  ]);
});

test("while the process is too late, calls go on as overloaded; afterwards they are decided again", async () => {
  const { answers, loop } = screener();
  const endMs = performance.now() + 900;
  while (performance.now() < endMs);
  expect(answers.answer(question)).toMatchObject({ verdict: "allow", reason: "overloaded" });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(answers.answer(question)).toMatchObject({ verdict: "allow", reason: "no-match" });
  loop.close();
});

test("no question of any bytes is left without an answer", () => {
  const { answers } = screener();
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom("", "+7", "anonymous", "intl-1"),
  );
  const any = fc.record({
    ...{ callingNumber: text, assertedNumber: text, calledNumber: text, trunk: text, diversionNumber: text },
    ...{ chargingId: text, callId: text, attributedTo: text, trial: fc.boolean(), explain: fc.boolean() },
    ...{ atMs: fc.maxSafeInteger(), requestId: fc.nat() },
  });
  fc.assert(
    fc.property(any, (request) => {
      const answer = answers.answerAlways(ScreenRequest.fromPartial(request));
      expect(answer.requestId).toBe(request.requestId);
      expect(answer.reason).not.toBe("failed-open");
      expect(answer.decisionId).not.toBe("");
    }),
    { numRuns: 500 },
  );
});

test("flushes that are lost late, repeated or out of order count every question once", () => {
  const calls = fc.array(fc.record({ minute: fc.nat(5), verdict: fc.constantFrom("allow", "block") }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      calls,
      fc.integer({ min: 1, max: 10 }),
      fc.infiniteStream(fc.nat()),
      (answered, every, order) => {
        const counters = new CallCounters("astana", "screening-0:boot", limits);
        const flushes: Counters[] = [];
        const inOrder = answered.toSorted((left, right) => left.minute - right.minute);
        for (const [index, { minute, verdict }] of inOrder.entries()) {
          const counted = { verdict, reason: "number", trunk: "intl-1", mode: "enforce", decision: verdict };
          const key = Buffer.from(String(index).padStart(8, "0"));
          const call = {
            key,
            verdict,
            reason: "number",
            attributedTo: "",
            firstOfPairToday: true,
            fallbackKey: false,
          };
          counters.add(counted, call, minute * 60_000);
          if (index % every === 0) flushes.push(counters.take(minute * 60_000));
        }
        while (!counters.isEmpty) flushes.push(counters.take(6 * 60_000));
        const shuffled = [...flushes, ...flushes].toSorted(() => ((order.next().value ?? 0) % 3) - 1);
        expect(countedQuestions(shuffled)).toBe(answered.length);
        expect(answeredKeys(flushes)).toHaveLength(answered.length);
        expect(flushes.every((flush) => flush.calls.length <= 5 && flush.minutes.length <= 2)).toBe(true);
      },
    ),
  );
});

test("a receipt names each message, or the first and the last of each stream when there are too many", () => {
  const applied = new AppliedLog(3);
  for (const sequence of [1, 2]) applied.add("NATIONAL", sequence, sequence);
  expect(applied.take().map(({ sequence }) => sequence)).toEqual([1, 2]);
  for (const sequence of [3, 4, 5, 6]) applied.add("NATIONAL", sequence, sequence);
  applied.add("URGENT", 9, 9);
  expect(applied.take().map(({ stream, sequence }) => `${stream} ${sequence}`)).toEqual([
    ...["NATIONAL 3", "NATIONAL 6", "URGENT 9"],
  ]);
  expect(applied.take()).toEqual([]);
});

test("a pair is the first again on the next day of Kazakhstan, not at midnight UTC", () => {
  const pairs = new FirstPairs(10);
  const evening = Date.parse("2026-03-01T18:59:00Z");
  expect(pairs.isFirst("pair", "call-1", evening)).toBe(true);
  expect(pairs.isFirst("pair", "call-2", evening + 30_000)).toBe(false);
  expect(pairs.isFirst("pair", "call-3", Date.parse("2026-03-01T19:00:00Z"))).toBe(true);
  expect(pairs.isFirst("pair", "call-4", Date.parse("2026-03-02T00:30:00Z"))).toBe(false);
});

test("a call stays the first of its pair when a second switch asks about it, and after a restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-pairs-"));
  const nowMs = Date.parse("2026-03-01T12:00:00Z");
  const pairs = new FirstPairs(10);
  const file = new PairsFile(folder, pairs, log);
  await file.restore(nowMs);
  const firsts = ["call-1", "call-1", "call-2"].map((call) => pairs.isFirst("pair", call, nowMs));
  expect(firsts).toEqual([true, true, false]);
  await file.write();
  writeFileSync(join(folder, `pairs-${localDay(nowMs)}`), "cut-of", { flag: "a" });
  const restarted = new FirstPairs(10);
  await new PairsFile(folder, restarted, log).restore(nowMs);
  expect(restarted.isFirst("pair", "call-3", nowMs)).toBe(false);
  expect(restarted.isFirst("other", "call-4", nowMs)).toBe(true);
  await new PairsFile(folder, new FirstPairs(10), log).restore(nowMs + 24 * 3_600_000);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
