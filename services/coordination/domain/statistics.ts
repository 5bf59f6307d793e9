import { isDirectiveReason, isForgedReason } from "#domain/decision.ts";
import { compareStrictness, verdicts, type Verdict } from "#domain/vocabulary.ts";
import type { AnsweredCall, Count, Counters } from "#proto/qalqan/events/v1/events.ts";
import { grains, startOf, type Grain } from "./grains.ts";

/** Where the region of the called person is not known. */
export const unattributed = "unattributed";

/** One call as it is counted: all that was said about its key, by whichever switches and regions. */
export interface CountedCall {
  /** The first 64 bits of SHA-256 of the callKey, as a signed decimal number. */
  readonly key: string;
  readonly minute: number;
  readonly verdict: string;
  readonly reason: string;
  /** Slug, or empty. */
  readonly attributedTo: string;
  readonly firstOfPair: boolean;
  readonly fallback: boolean;
}

/** What one source said last about one minute. */
export interface MinuteState {
  readonly region: string;
  readonly source: string;
  readonly minute: number;
  readonly flush: number;
  readonly counts: readonly Count[];
}

/** What is added to the figures of one region and stretch of time; negative where a call moved. */
export interface CallDelta {
  readonly grain: Grain;
  readonly start: number;
  readonly region: string;
  readonly verdict: string;
  calls: number;
  intercepted: number;
  forged: number;
  fallback: number;
}

export interface QuestionDelta {
  readonly grain: Grain;
  readonly start: number;
  readonly region: string;
  questions: number;
  shadowStopped: number;
}

/** Everything that one step changes in the figures. */
export interface StatisticsChange {
  readonly minutes: MinuteState[];
  readonly calls: CountedCall[];
  readonly callDeltas: CallDelta[];
  readonly questionDeltas: QuestionDelta[];
}

/** Key of a source's minute. */
export function minuteKey(region: string, source: string, minute: number): string {
  return `${region} ${minute} ${source}`;
}

/** The 8 bytes of a call's key as PostgreSQL keeps them. */
export function callKeyNumber(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigInt64BE().toString();
}

/**
 * Takes counters into the figures. Cumulative counts replace what the same
 * source said before about the minute, if their flush is higher; a call key
 * counts once, with its strictest verdict. So repeats and any order change
 * nothing.
 *
 * @param knownMinutes what is kept, by minuteKey
 * @param knownCalls what is kept, by key
 */
export function countAll(
  counters: readonly Counters[],
  knownMinutes: ReadonlyMap<string, MinuteState>,
  knownCalls: ReadonlyMap<string, CountedCall>,
): StatisticsChange {
  const minutes = new Map<string, MinuteState>();
  const calls = new Map<string, CountedCall>();
  const questions = new Map<string, QuestionDelta>();
  const counted = new Map<string, CallDelta>();
  for (const { region, source, flush, minutes: given, calls: answered } of counters) {
    for (const { minute, counts } of given) {
      const key = minuteKey(region, source, minute);
      const before = minutes.get(key) ?? knownMinutes.get(key);
      if (before !== undefined && before.flush >= flush) continue;
      minutes.set(key, { region, source, minute, flush, counts });
      addQuestions(questions, region, minute, before?.counts ?? [], -1);
      addQuestions(questions, region, minute, counts, 1);
    }
    for (const call of answered) {
      const key = callKeyNumber(call.key);
      const before = calls.get(key) ?? knownCalls.get(key);
      const after = joinCalls(before, countedCall(key, call));
      if (before !== undefined && sameCall(before, after)) continue;
      calls.set(key, after);
      if (before !== undefined) addCall(counted, before, -1);
      addCall(counted, after, 1);
    }
  }
  return {
    minutes: [...minutes.values()],
    calls: [...calls.values()],
    callDeltas: [...counted.values()].filter(
      ({ calls: number, intercepted, forged, fallback }) =>
        number !== 0 || intercepted !== 0 || forged !== 0 || fallback !== 0,
    ),
    questionDeltas: [...questions.values()].filter(
      (delta) => delta.questions !== 0 || delta.shadowStopped !== 0,
    ),
  };
}

function countedCall(key: string, call: AnsweredCall): CountedCall {
  const { minute, verdict, reason, attributedTo } = call;
  return {
    key,
    minute,
    verdict,
    reason,
    attributedTo,
    firstOfPair: call.firstOfPairToday,
    fallback: call.fallbackKey,
  };
}

/**
 * One call from two accounts of it, whichever came first: the strictest verdict
 * with its reason, the earlier minute, a region where one is known.
 */
function joinCalls(left: CountedCall | undefined, right: CountedCall): CountedCall {
  if (left === undefined) return right;
  const order = strictnessOf(left, right);
  const leads = order > 0 || (order === 0 && left.reason <= right.reason) ? left : right;
  const others = [left.attributedTo, right.attributedTo].filter((region) => region !== "").toSorted();
  return {
    key: left.key,
    minute: Math.min(left.minute, right.minute),
    verdict: leads.verdict,
    reason: leads.reason,
    attributedTo: others[0] ?? "",
    // Redials are recognised within one region: where one of them knows an earlier call, this is none of the first.
    firstOfPair: order === 0 ? left.firstOfPair && right.firstOfPair : leads.firstOfPair,
    fallback: left.fallback && right.fallback,
  };
}

/** A verdict of another release counts as the mildest. */
function strictnessOf(left: CountedCall, right: CountedCall): number {
  return compareStrictness(known(left.verdict), known(right.verdict));
}

function known(verdict: string): Verdict {
  return verdicts.find((word) => word === verdict) ?? "allow";
}

function sameCall(left: CountedCall, right: CountedCall): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

const stops = (verdict: string): boolean => verdict === "block" || verdict === "divert";

/** Stopped by a directive, and the first of its pair that day. */
export function isIntercepted(call: CountedCall): boolean {
  return stops(call.verdict) && isDirectiveReason(call.reason) && call.firstOfPair;
}

function addCall(deltas: Map<string, CallDelta>, call: CountedCall, sign: 1 | -1): void {
  const region = call.attributedTo === "" ? unattributed : call.attributedTo;
  for (const grain of grains) {
    const start = startOf(grain, call.minute);
    const key = `${grain} ${start} ${call.verdict} ${region}`;
    const delta = deltas.get(key) ?? {
      ...{ grain, start, region, verdict: call.verdict },
      ...{ calls: 0, intercepted: 0, forged: 0, fallback: 0 },
    };
    deltas.set(key, delta);
    delta.calls += sign;
    if (isIntercepted(call)) delta.intercepted += sign;
    if (stops(call.verdict) && isForgedReason(call.reason)) delta.forged += sign;
    if (call.fallback) delta.fallback += sign;
  }
}

function addQuestions(
  deltas: Map<string, QuestionDelta>,
  region: string,
  minute: number,
  counts: readonly Count[],
  sign: 1 | -1,
): void {
  for (const { verdict, decision, questions } of counts) {
    const shadowStopped = verdict === "allow" && stops(decision) ? questions : 0;
    for (const grain of grains) {
      const start = startOf(grain, minute);
      const key = `${grain} ${start} ${region}`;
      const delta = deltas.get(key) ?? { grain, start, region, questions: 0, shadowStopped: 0 };
      deltas.set(key, delta);
      delta.questions += sign * questions;
      delta.shadowStopped += sign * shadowStopped;
    }
  }
}
