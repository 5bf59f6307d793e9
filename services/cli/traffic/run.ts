import { setImmediate as nextTurn } from "node:timers/promises";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { ScreeningClient } from "#proto/qalqan/screening/v1/screening.ts";
import { callsOf, type Call } from "./calls.ts";
import { momentsOf } from "./moments.ts";
import type { Population } from "./population.ts";
import type { RegionOfCalls } from "./subscribers.ts";
import { SwitchLine, type Outage, type SwitchLinePlan } from "./switch-line.ts";
import { TruthLedger, type Outcome } from "./truth.ts";

/** How the simulator reaches a nation, and whom it lets call there. */
export interface TrafficAccess {
  /** Regions whose switches ask; at least one. The run closes the clients. */
  readonly regions: readonly { readonly region: RegionOfCalls; readonly screening: ScreeningClient }[];
  readonly campaignNumbers: readonly string[];
  readonly protectedNumbers: readonly string[];
}

export interface TrafficPlan extends SwitchLinePlan {
  readonly seed: number;
  /** Begins every charging id: another one for each run on a nation. */
  readonly run: string;
  /** Of the nation at the busiest hour; undefined: as fast as screening answers. */
  readonly callsPerSecond: number | undefined;
  /** When the day of the calls begins, milliseconds since 1970. */
  readonly beginsAtMs: number;
  /** Ends after so many calls; undefined: with the signal. */
  readonly callsMax: number | undefined;
}

/** What a run has come to, at any time of it. */
export interface TrafficState {
  readonly ledger: TruthLedger;
  readonly seconds: number;
  readonly calls: number;
  readonly inFlight: number;
  readonly outages: readonly Outage[];
}

/** At the beginning: for all streams to open. */
const openWaitMs = 5_000;
/** Turns of the event loop that calls are sent in without letting answers in. */
const callsPerTurn = 64;
const reportEveryMs = 1_000;

/**
 * Lets the population call until the signal, or until the plan's calls are
 * made, and every answer is in. Screening that is away is retried; meanwhile
 * its calls go on unasked and are counted so.
 *
 * @param report called about once a second
 */
export async function runTraffic(
  population: Population,
  access: TrafficAccess,
  plan: TrafficPlan,
  signal: AbortSignal,
  report: (state: TrafficState) => void,
): Promise<TrafficState> {
  const wake = new Wake();
  const lines = new Map(
    access.regions.map(({ region, screening }) => [
      region.slug,
      new SwitchLine(region.slug, screening, plan, () => wake.notify()),
    ]),
  );
  const ledger = new TruthLedger();
  const stopLines = new AbortController();
  const running = Promise.all([...lines.values()].map((line) => line.run(stopLines.signal)));
  await allOpen(lines, wake, signal);

  const beganAt = performance.now();
  let calls = 0;
  const state = (): TrafficState => ({
    ledger,
    seconds: (performance.now() - beganAt) / 1_000,
    calls,
    inFlight: sum(lines, ({ inFlight }) => inFlight),
    outages: [...lines.values()]
      .flatMap(({ outages }) => outages)
      .sort((left, right) => left.atMs - right.atMs),
  });
  const reporting = setInterval(() => {
    for (const line of lines.values()) line.giveUpOld(Date.now());
    report(state());
  }, reportEveryMs);

  const turn =
    plan.callsPerSecond === undefined
      ? roomTurns(lines, plan, wake)
      : pacedTurns(population, plan.callsPerSecond, plan, beganAt);
  const made = callsOf(population, plan.seed, {
    run: plan.run,
    regions: access.regions.map(({ region }) => region),
    campaignNumbers: access.campaignNumbers,
    protectedNumbers: access.protectedNumbers,
  });
  while (!signal.aborted && calls < (plan.callsMax ?? Number.POSITIVE_INFINITY)) {
    const call = made.next().value;
    if (!(await turn(call, signal))) break;
    calls++;
    if (calls % callsPerTurn === 0) await nextTurn();
    askAll(lines, call, ledger);
  }

  stopLines.abort();
  await running;
  clearInterval(reporting);
  return state();
}

function askAll(lines: ReadonlyMap<string, SwitchLine>, call: Call, ledger: TruthLedger): void {
  const outcomes: Outcome[] = [];
  for (const question of call.questions) {
    lines.get(question.region)?.ask(question, (outcome) => {
      outcomes.push(outcome);
      if (outcomes.length === call.questions.length) ledger.record(call, outcomes, Date.now());
    });
  }
}

/** Waits for a call's turn; false when the signal came first. */
type Turn = (call: Call, signal: AbortSignal) => Promise<boolean>;

/** Each call at its moment, whatever screening does: a switch cannot make people wait. */
function pacedTurns(
  population: Population,
  callsPerSecond: number,
  plan: TrafficPlan,
  beganAt: number,
): Turn {
  const moments = momentsOf(population, plan.seed, { beginsAtMs: plan.beginsAtMs, callsPerSecond });
  return async (_call, signal) => {
    const dueInMs = moments.next().value - (performance.now() - beganAt);
    // Timers are not finer than a millisecond; what is due within it goes out now.
    return dueInMs < 1 || pause(dueInMs, signal);
  };
}

/** Each call as soon as its lines have room, or after the switch's own timer. */
function roomTurns(lines: ReadonlyMap<string, SwitchLine>, plan: TrafficPlan, wake: Wake): Turn {
  return async (call, signal) => {
    const untilMs = Date.now() + plan.answerWaitMs;
    while (call.questions.some(({ region }) => lines.get(region)?.takesMore !== true)) {
      const leftMs = untilMs - Date.now();
      if (leftMs <= 0 || signal.aborted) break;
      await wake.wait(leftMs, signal);
    }
    return !signal.aborted;
  };
}

async function allOpen(
  lines: ReadonlyMap<string, SwitchLine>,
  wake: Wake,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = Date.now() + openWaitMs;
  while (
    ![...lines.values()].every(({ takesMore }) => takesMore) &&
    Date.now() < untilMs &&
    !signal.aborted
  ) {
    await wake.wait(untilMs - Date.now(), signal);
  }
}

function sum(lines: ReadonlyMap<string, SwitchLine>, amount: (line: SwitchLine) => number): number {
  return [...lines.values()].reduce((total, line) => total + amount(line), 0);
}
