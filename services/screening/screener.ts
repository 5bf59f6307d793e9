import { answeredKey, attributedRegion, callBucket, callKeyOf, callQuestion, pairKey } from "#domain/call.ts";
import type { DayKeys } from "#domain/day-keys.ts";
import { collect, type Match } from "#domain/collect.ts";
import { decide, isDirectiveReason } from "#domain/decision.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { dialledText, parseDialled, type Dialled } from "#domain/number.ts";
import { applyMode, isTrunkId, type TrunkMode } from "#domain/trunk.ts";
import type { Verdict } from "#domain/vocabulary.ts";
import type { Log } from "#platform/log.ts";
import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { CallLog } from "./call-log.ts";
import { loopLagMaxMs } from "./config.ts";
import type { CallCounters } from "./domain/call-counters.ts";
import type { FirstPairs } from "./domain/first-pairs.ts";
import type { Enforcement } from "./enforcement.ts";
import type { LoopWatch } from "./loop-watch.ts";
import type { RegionDirectory } from "./regions.ts";
import type { Replica } from "./domain/receipt.ts";
import type { Reporter } from "./reporter.ts";

/** Reasons for a verdict that is not the rule's. */
type OwnReason = "failed-open" | "overloaded" | "invalid-question";

export interface ScreenerParts {
  readonly replica: Replica;
  readonly dayKeys: DayKeys;
  readonly appealLines: ReadonlySet<string>;
  readonly regions: RegionDirectory;
  readonly enforcement: Enforcement;
  readonly counters: CallCounters;
  readonly pairs: FirstPairs;
  readonly callLog: CallLog;
  readonly reporter: Reporter;
  readonly loop: LoopWatch;
  readonly log: Log;
}

/** What is said about a call, before it is told to anybody. */
interface Judged {
  readonly verdict: Verdict;
  readonly decision: Verdict;
  readonly reason: string;
  readonly directive: string;
  readonly mode: TrunkMode | "stopped";
  readonly enforced: boolean;
  readonly withholdCallerId: boolean;
  readonly identity: string;
  readonly matches: readonly Match[];
  readonly trunkKnown: boolean;
}

/** A switch may send any text; what is kept of it is bounded (characters). */
const kept = { number: 64, callKey: 256, trunk: 64 } as const;
const failureLogEveryMs = 1_000;
/** Unknown trunks named in the log. */
const unknownTrunksMax = 200;

/**
 * Answers questions from memory, synchronously. Whatever goes wrong inside, the
 * call goes on: `allow`, with a reason that says so, counted.
 */
export class Screener {
  readonly #parts: ScreenerParts;
  readonly #unknownTrunks = new Set<string>();
  #questions = 0;
  #failures = 0;
  #failureLoggedAtMs = 0;

  constructor(parts: ScreenerParts) {
    this.#parts = parts;
  }

  /** Questions answered since the start, trials included. */
  get questions(): number {
    return this.#questions;
  }

  /**
   * @throws InvalidInput `missing` when the called number or the trunk is not there
   */
  answer(request: ScreenRequest): ScreenResponse {
    requireText("called_number", request.calledNumber, "send the called number, in any dialled form");
    requireText("trunk", request.trunk, "send the id of the trunk that the call came in on");
    return this.#answer(request, () => this.#judge(request, Date.now()));
  }

  /** The same where an error would end the stream of all other calls: the call goes on, and is counted as that. */
  answerAlways(request: ScreenRequest): ScreenResponse {
    try {
      return this.answer(request);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      this.#noteFailure("question-invalid", error.field);
      return this.#answer(request, () => goesOn("invalid-question"));
    }
  }

  #answer(request: ScreenRequest, judge: () => Judged): ScreenResponse {
    let judged: Judged;
    try {
      // Nobody's call waits behind a trial: it is worth its answer.
      const overloaded = !request.trial && this.#parts.loop.lagMs > loopLagMaxMs;
      judged = overloaded ? goesOn("overloaded") : judge();
    } catch (error) {
      this.#noteFailure("failed-open", error);
      judged = goesOn("failed-open");
    }
    this.#questions += 1;
    const { replica, bootId } = this.#parts.replica;
    const decisionId = `${replica}-${bootId}-${this.#questions}`;
    if (!request.trial) {
      try {
        this.#record(request, judged, decisionId);
      } catch (error) {
        this.#noteFailure("record-failed", error);
      }
    }
    const explained = request.trial && request.explain ? judged.matches : [];
    const { verdict, reason, directive, decision, mode, enforced, withholdCallerId, identity } = judged;
    return {
      requestId: request.requestId,
      ...{ verdict, reason, directive, decision, decisionId, mode, enforced, withholdCallerId, identity },
      matches: explained.map(({ target, action, directive: by, table, reason: why }) => ({
        ...{ target, action, directive: by, table, reason: why },
      })),
    };
  }

  #judge(request: ScreenRequest, nowMs: number): Judged {
    const { enforcement, appealLines } = this.#parts;
    const { table, overlay } = enforcement;
    const trunk = overlay.trunk(request.trunk);
    if (trunk === undefined) this.#noteUnknownTrunk(request.trunk);
    // Carriers cannot be asked about roaming: nobody knows, so such a call is never blocked for it.
    const circumstances = { direction: trunk?.direction, appealLines, roaming: "unknown" } as const;
    const question = callQuestion(request, circumstances);
    const decided = decide(question, collect(question, table, overlay, nowMs));
    const { mode, percent } = trunk ?? { mode: "shadow", percent: 0 };
    const outcome = applyMode(decided.decision, {
      mode,
      percent,
      stopped: enforcement.nationStopped || overlay.isStopped(request.trunk),
      bucket: mode === "enforce" && percent > 0 && percent < 100 ? this.#bucket(request, nowMs) : 0,
    });
    return {
      verdict: outcome.verdict,
      decision: decided.decision,
      reason: decided.reason,
      directive: decided.directive,
      mode: outcome.mode,
      enforced: outcome.enforced,
      withholdCallerId: decided.withholdCallerId && outcome.enforced,
      identity: decided.identity,
      matches: decided.matches,
      trunkKnown: trunk !== undefined,
    };
  }

  #bucket(request: ScreenRequest, nowMs: number): number {
    const isBareTrial = request.trial && request.chargingId === "" && request.callId === "";
    return callBucket(isBareTrial ? "" : this.#callKey(request, callTimeMs(request, nowMs)).callKey);
  }

  #callKey(request: ScreenRequest, atMs: number): { callKey: string; fallback: boolean } {
    const { chargingId, callId } = request;
    const [calling, called] = [parseDialled(request.callingNumber), parseDialled(request.calledNumber)];
    return callKeyOf({ chargingId, callId, calling, called, atMs }, this.#parts.dayKeys);
  }

  /** Hands the answered call to counters and LOCAL; the answer does not wait for either. */
  #record(request: ScreenRequest, judged: Judged, decisionId: string): void {
    const { regions, counters, callLog, reporter, replica } = this.#parts;
    const nowMs = Date.now();
    const atMs = callTimeMs(request, nowMs);
    const calling = parseDialled(request.callingNumber);
    const called = parseDialled(request.calledNumber);
    const { callKey, fallback } = this.#callKey(request, atMs);
    const said = regions.isRegion(request.attributedTo) ? request.attributedTo : "";
    const attributedTo = attributedRegion(called, said, regions.ofAreaCode);
    const { verdict, decision, reason, directive, mode, enforced } = judged;
    const { trunk } = request;
    const countedReason = judged.trunkKnown ? reason : "trunk-unknown";
    const key = Buffer.from(answeredKey(callKey));
    const pair = { calling, called, call: key.toString("base64url") };
    const firstOfPairToday = this.#isFirstOfPair(judged, pair, nowMs);
    counters.add(
      { verdict, reason: countedReason, trunk, mode, decision },
      { key, verdict, reason, attributedTo, firstOfPairToday, fallbackKey: fallback },
      nowMs,
    );
    reporter.wantFlush();
    callLog.add({
      ...{ decisionId, atMs, verdict, decision, reason, directive, mode, enforced, attributedTo },
      callKey: callKey.slice(0, kept.callKey),
      callingNumber: dialledText(calling).slice(0, kept.number),
      assertedNumber: dialledText(parseDialled(request.assertedNumber)).slice(0, kept.number),
      calledNumber: dialledText(called).slice(0, kept.number),
      trunk: trunk.slice(0, kept.trunk),
      screenedBy: replica.region,
      handledBy: "",
    });
  }

  /** Warned ones and those stopped by a directive count once per pair; forged ones, and what goes on, each. */
  #isFirstOfPair(
    { verdict, reason }: Judged,
    { calling, called, call }: { calling: Dialled; called: Dialled; call: string },
    nowMs: number,
  ): boolean {
    const warned = verdict === "warn";
    const intercepted = (verdict === "block" || verdict === "divert") && isDirectiveReason(reason);
    if (!warned && !intercepted) return false;
    const { pairs, dayKeys } = this.#parts;
    const happened = warned ? "warned" : "intercepted";
    return pairs.isFirst(`${happened}:${pairKey(calling, called, dayKeys, nowMs)}`, call, nowMs);
  }

  /** Named in the log at most once a second; nothing of the call is in it. */
  #noteFailure(event: string, what: unknown): void {
    this.#failures += 1;
    const nowMs = Date.now();
    if (nowMs - this.#failureLoggedAtMs < failureLogEveryMs) return;
    this.#failureLoggedAtMs = nowMs;
    const detail =
      what instanceof Error ? { error: what.name, at: what.stack?.split("\n").slice(1) } : { field: what };
    this.#parts.log.error({ event, count: this.#failures, ...detail }, "a call went on without a decision");
  }

  /** Each trunk once: its carrier has to be asked to register it. */
  #noteUnknownTrunk(trunk: string): void {
    if (!isTrunkId(trunk) || this.#unknownTrunks.has(trunk) || this.#unknownTrunks.size >= unknownTrunksMax)
      return;
    this.#unknownTrunks.add(trunk);
    this.#parts.log.warn(
      { event: "trunk-unknown", trunk },
      "a trunk that nobody registered is treated as in shadow",
    );
  }
}

function requireText(field: string, text: string, remedy: string): void {
  if (text.trim() !== "") return;
  throw new InvalidInput({ code: "missing", field, value: text, message: "is missing", remedy });
}

function callTimeMs(request: ScreenRequest, nowMs: number): number {
  return request.atMs > 0 ? request.atMs : nowMs;
}

function goesOn(reason: OwnReason): Judged {
  return {
    ...{ verdict: "allow", decision: "allow", reason, directive: "", mode: "shadow", enforced: false },
    ...{ withholdCallerId: false, identity: "", matches: [], trunkKnown: true },
  };
}
