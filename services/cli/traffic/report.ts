import { groupDigits, table } from "../output.ts";
import { truthKinds } from "./population.ts";
import type { TrafficState } from "./run.ts";

/** The document of `traffic --json`. */
export function trafficDocument(state: TrafficState, seed: number, regions: readonly string[]) {
  const { ledger, seconds, calls, outages } = state;
  const { answered, late, lost, unsent } = ledger.questions;
  return {
    seed,
    regions,
    seconds,
    calls,
    asked: answered + late + lost + unsent,
    answered,
    unanswered: late + lost + unsent,
    /** Why: `late` after the switch's timer, `lost` with the stream, `unsent` while screening was away. */
    unansweredBy: { late, lost, unsent },
    questionsPerSecond: seconds > 0 ? (answered + late) / seconds : 0,
    byVerdict: ledger.verdicts,
    byReason: ledger.reasons,
    byKind: ledger.byKind,
    /** What `qalqan statistics` must say about these calls, and how far it may be off after outages. */
    expected: ledger.expected(),
    uncertainCalls: ledger.uncertainCalls,
    outages,
  };
}

export type TrafficDocument = ReturnType<typeof trafficDocument>;

/** The same for a person. */
export function trafficLines(document: TrafficDocument): string[] {
  const { unansweredBy, byVerdict, byKind, expected } = document;
  const kinds = truthKinds
    .filter((kind) => byKind[kind].calls > 0)
    .map((kind) => {
      const { calls, caught, missed, missedByMode, wronglyStopped, wronglyWarned, unanswered } = byKind[kind];
      return [
        kind,
        ...[calls, caught, missed, missedByMode, wronglyStopped, wronglyWarned, unanswered].map(groupDigits),
      ];
    });
  const total = (count: "caught" | "missed" | "wronglyStopped" | "wronglyWarned") =>
    groupDigits(truthKinds.reduce((sum, kind) => sum + byKind[kind][count], 0));
  return [
    `${groupDigits(document.calls)} calls in ${document.seconds.toFixed(1)} s (seed ${document.seed}): asked ${groupDigits(document.asked)}, answered ${groupDigits(document.answered)}, unanswered ${groupDigits(document.unanswered)}; ${groupDigits(Math.round(document.questionsPerSecond))} answers a second`,
    `unanswered: too late ${groupDigits(unansweredBy.late)}, lost ${groupDigits(unansweredBy.lost)}, not sent ${groupDigits(unansweredBy.unsent)}`,
    `answers: ${Object.entries(byVerdict)
      .map(([verdict, count]) => `${verdict} ${groupDigits(count)}`)
      .join(", ")}`,
    `fraud caught ${total("caught")}, missed ${total("missed")}; legitimate calls wrongly stopped ${total("wronglyStopped")}, wrongly warned ${total("wronglyWarned")}`,
    "",
    ...table(
      ["in truth", "calls", "caught", "missed", "by mode", "stopped wrongly", "warned wrongly", "unanswered"],
      kinds,
    ),
    "",
    `statistics must say: calls ${groupDigits(expected.calls)}, intercepted ${groupDigits(expected.intercepted)}, forged ${groupDigits(expected.forged)}`,
  ];
}

/** One line while it runs. */
export function liveLine({ ledger, seconds, calls, inFlight }: TrafficState): string {
  const { answered, late, lost, unsent } = ledger.questions;
  const { allow, warn, divert, block } = ledger.verdicts;
  const perSecond = seconds > 0 ? Math.round((answered + late) / seconds) : 0;
  return [
    `${groupDigits(calls)} calls`,
    `answered ${groupDigits(answered)}`,
    `unanswered ${groupDigits(late + lost + unsent)}`,
    `under way ${inFlight}`,
    `allow ${groupDigits(allow)} warn ${groupDigits(warn)} divert ${groupDigits(divert)} block ${groupDigits(block)}`,
    `${groupDigits(perSecond)}/s`,
  ].join(" · ");
}
