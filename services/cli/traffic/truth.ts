import { isDirectiveReason, isForgedReason } from "#domain/decision.ts";
import { compareStrictness, type Verdict } from "#domain/vocabulary.ts";
import type { Call } from "./calls.ts";
import { truthKinds, type TruthKind } from "./population.ts";

/** What a switch was told in time, too late, or not at all. */
export type Outcome =
  | { readonly kind: "answered" | "late"; readonly region: string; readonly answer: Answer }
  /** Sent, and the stream ended first: screening may have counted it. */
  | { readonly kind: "lost"; readonly region: string }
  /** Never sent: screening was away, or too much was under way. */
  | { readonly kind: "unsent"; readonly region: string };

/** What of an answer counts. */
export interface Answer {
  readonly verdict: Verdict;
  /** Before the trunk's mode and the stop switch. */
  readonly decision: string;
  readonly reason: string;
}

type RegionAnswer = Answer & { readonly region: string };

/** How the calls of one kind fared. Calls, not questions: the strictest answer in time counts. */
export interface KindCounts {
  calls: number;
  /** Of them, those that repeat a pair. */
  redials: number;
  /** No switch got an answer in time, so the call went on. */
  unanswered: number;
  /** A fraudulent call that was blocked, diverted or warned of. */
  caught: number;
  /** A fraudulent call that went on as any other. */
  missed: number;
  /** Of the missed: the rule would have caught it, mode or stop switch let it go on. */
  missedByMode: number;
  /** A legitimate call that was blocked or diverted. */
  wronglyStopped: number;
  /** A legitimate call that went on with a warning. */
  wronglyWarned: number;
}

/** The figures that the capital shall show for the calls of a run (domain.md, "Figures"). */
export interface ExpectedStatistics {
  readonly calls: number;
  readonly intercepted: number;
  readonly forged: number;
  readonly byVerdict: Readonly<Record<string, number>>;
  /** By the called person's region; `unattributed` where nobody said it. */
  readonly byRegion: Readonly<Record<string, RegionFigures>>;
  readonly questions: number;
  readonly shadowStopped: number;
  readonly fallbackCalls: number;
}

export interface RegionFigures {
  calls: number;
  intercepted: number;
  forged: number;
}

const unattributed = "unattributed";

/** A day begins at midnight in Kazakhstan: one time zone, UTC+5, since 1 March 2024. */
const utcOffsetMs = 5 * 3_600_000;
const dayMs = 24 * 3_600_000;

const fraudulent: ReadonlySet<TruthKind> = new Set([
  "campaign",
  "walking-range",
  "forged-mobile",
  "forged-fixed",
  "forged-protected",
]);

/**
 * Compares what was answered with what is true, and counts what the capital
 * must count. Pure bookkeeping: calls come in when every question of theirs
 * has its outcome.
 */
export class TruthLedger {
  readonly byKind: Readonly<Record<TruthKind, KindCounts>> = Object.fromEntries(
    truthKinds.map((kind) => [kind, noCalls()]),
  ) as Record<TruthKind, KindCounts>;
  readonly questions = { answered: 0, late: 0, lost: 0, unsent: 0 };
  /** Calls without any answer of which a question was lost: the capital may count them or not. */
  uncertainCalls = 0;
  /** Verdicts that switches acted upon, by question. */
  readonly verdicts: Record<Verdict, number> = { allow: 0, warn: 0, divert: 0, block: 0 };
  readonly #byVerdict: Record<Verdict, number> = { allow: 0, warn: 0, divert: 0, block: 0 };
  readonly #byRegion = new Map<string, RegionFigures>();
  readonly #total: RegionFigures = { calls: 0, intercepted: 0, forged: 0 };
  /** Answers by their reason. */
  readonly reasons: Record<string, number> = {};
  /** `region calling called` */
  readonly #interceptedToday = new Set<string>();
  #day = 0;
  #fallbackCalls = 0;
  #shadowStopped = 0;

  /** Takes a call with the outcome of each of its questions. */
  record(call: Call, outcomes: readonly Outcome[], nowMs: number): void {
    for (const outcome of outcomes) this.#countQuestion(outcome);
    this.#judge(call, outcomes);
    const answers = outcomes.flatMap((outcome) =>
      "answer" in outcome ? [{ ...outcome.answer, region: outcome.region }] : [],
    );
    if (answers.length === 0 && outcomes.some(({ kind }) => kind === "lost")) this.uncertainCalls++;
    // Without an id the regions cannot join their questions: each counts a call of its own.
    const counted = call.identifier === "none" ? answers.map((answer) => [answer]) : [answers];
    for (const ofOneKey of counted) this.#count(call, ofOneKey, nowMs);
  }

  /** What the capital must show when it has counted every answer. */
  expected(): ExpectedStatistics {
    return {
      ...this.#total,
      byVerdict: { ...this.#byVerdict },
      byRegion: Object.fromEntries([...this.#byRegion].sort(([left], [right]) => (left < right ? -1 : 1))),
      questions: this.questions.answered + this.questions.late,
      shadowStopped: this.#shadowStopped,
      fallbackCalls: this.#fallbackCalls,
    };
  }

  #countQuestion(outcome: Outcome): void {
    this.questions[outcome.kind]++;
    if (!("answer" in outcome)) return;
    const { verdict, decision, reason } = outcome.answer;
    this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
    if (outcome.kind === "answered") this.verdicts[verdict]++;
    if (verdict === "allow" && (decision === "block" || decision === "divert")) this.#shadowStopped++;
  }

  #judge(call: Call, outcomes: readonly Outcome[]): void {
    const inTime = outcomes.flatMap((outcome) => (outcome.kind === "answered" ? [outcome.answer] : []));
    const strictest = strictestOf(inTime);
    const counts = this.byKind[call.kind];
    counts.calls++;
    if (call.redial) counts.redials++;
    if (strictest === undefined) counts.unanswered++;
    const verdict = strictest?.verdict ?? "allow";
    if (fraudulent.has(call.kind)) {
      if (verdict !== "allow") counts.caught++;
      else counts.missed++;
      if (verdict === "allow" && inTime.some(({ decision }) => decision !== "allow")) counts.missedByMode++;
    } else if (isStop(verdict)) counts.wronglyStopped++;
    else if (verdict === "warn") counts.wronglyWarned++;
  }

  #count(call: Call, answers: readonly RegionAnswer[], nowMs: number): void {
    const strictest = strictestOf(answers);
    if (strictest === undefined) return;
    this.#byVerdict[strictest.verdict]++;
    if (call.identifier === "none") this.#fallbackCalls++;
    const region = this.#figuresOf(call.attributedTo === "" ? unattributed : call.attributedTo);
    const forged = strictest.verdict === "block" && isForgedReason(strictest.reason);
    const intercepted =
      isInterception(strictest) && this.#firstInterception(call, answers, strictest.verdict, nowMs);
    for (const figures of [this.#total, region]) {
      figures.calls++;
      if (forged) figures.forged++;
      if (intercepted) figures.intercepted++;
    }
  }

  /**
   * Redials of one pair on one day are one intercepted call. They are recognised
   * within one region (domain.md, "Whose call is it"), so each region that
   * stopped the call must know of no earlier one.
   */
  #firstInterception(
    { calling, called }: Call,
    answers: readonly RegionAnswer[],
    verdict: Verdict,
    nowMs: number,
  ): boolean {
    const day = Math.floor((nowMs + utcOffsetMs) / dayMs);
    if (day !== this.#day) this.#interceptedToday.clear();
    this.#day = day;
    const stoppedBy = answers.filter((answer) => isInterception(answer));
    const pairs = stoppedBy.map((answer) => ({
      strictest: answer.verdict === verdict,
      pair: `${answer.region} ${calling} ${called}`,
    }));
    const first = pairs.every(({ strictest, pair }) => !strictest || !this.#interceptedToday.has(pair));
    for (const { pair } of pairs) this.#interceptedToday.add(pair);
    return first;
  }

  #figuresOf(region: string): RegionFigures {
    const known = this.#byRegion.get(region);
    if (known !== undefined) return known;
    const figures = { calls: 0, intercepted: 0, forged: 0 };
    this.#byRegion.set(region, figures);
    return figures;
  }
}

function noCalls(): KindCounts {
  return {
    calls: 0,
    redials: 0,
    unanswered: 0,
    caught: 0,
    missed: 0,
    missedByMode: 0,
    wronglyStopped: 0,
    wronglyWarned: 0,
  };
}

function isInterception({ verdict, reason }: Answer): boolean {
  return isStop(verdict) && isDirectiveReason(reason);
}

function isStop(verdict: Verdict): boolean {
  return verdict === "block" || verdict === "divert";
}

function strictestOf<Given extends Answer>(answers: readonly Given[]): Given | undefined {
  return answers.toSorted((left, right) => compareStrictness(right.verdict, left.verdict))[0];
}
