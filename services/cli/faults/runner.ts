import { LocalRunError } from "#infra/local/errors.ts";
import { pause } from "#platform/lifecycle.ts";
import { checkNation, type NationAccess, type Verdict } from "./checker.ts";
import { Ledger } from "./ledger.ts";
import { runLoad, type LoadPlan } from "./load.ts";
import { describeFault, scheduleOf, type Fault, type SchedulePlan } from "./schedule.ts";

/** What the runner needs of whoever runs the processes (infra/local/control.ts has it). */
export interface FaultControl {
  kill(stack: string, service: string): Promise<unknown>;
  pause(stack: string, service: string): Promise<unknown>;
  resume(stack: string, service: string): Promise<unknown>;
  cut(region: string): Promise<unknown>;
  heal(region: string): Promise<unknown>;
}

export interface FaultRun {
  readonly schedule: SchedulePlan;
  readonly load: Omit<LoadPlan, "seed">;
  /** One line per fault and phase. */
  readonly report: (line: string) => void;
}

export interface FaultRunResult extends Verdict {
  readonly seed: number;
  readonly kills: number;
  readonly pauses: number;
  readonly cuts: number;
  readonly issued: number;
  readonly repeatedRequests: number;
  readonly questionsAnswered: number;
  readonly questionsUnanswered: number;
}

/**
 * Puts a nation under load and faults, lets it heal, and compares what was
 * acknowledged with what every region enforces.
 */
export async function runFaults(
  nation: NationAccess,
  control: FaultControl,
  run: FaultRun,
): Promise<FaultRunResult> {
  const { schedule, report } = run;
  const ledger = new Ledger();
  const stopLoad = new AbortController();
  const load = runLoad(nation.regions, ledger, { ...run.load, seed: schedule.seed }, stopLoad.signal);
  const faults = scheduleOf(schedule);
  try {
    const healing: Promise<void>[] = [];
    for (const { afterMs, fault } of faults) {
      await pause(afterMs, stopLoad.signal);
      report(describeFault(fault));
      healing.push((await inflict(control, fault)).over);
    }
    await Promise.all(healing);
    report("every fault is over; the load goes on for two seconds");
    await pause(2_000, stopLoad.signal);
  } finally {
    stopLoad.abort();
    await load;
  }
  report(
    `${ledger.acknowledged.length} directives acknowledged, ${ledger.revoked.length} revoked; comparing`,
  );
  const verdict = await checkNation(nation, ledger);
  const count = (kind: Fault["kind"]) => faults.filter(({ fault }) => fault.kind === kind).length;
  return {
    ...verdict,
    seed: schedule.seed,
    kills: count("kill"),
    pauses: count("pause"),
    cuts: count("cut"),
    issued: ledger.entries.length,
    repeatedRequests: ledger.repeatedRequests,
    questionsAnswered: ledger.questionsAnswered,
    questionsUnanswered: ledger.questionsUnanswered,
  };
}

/** Begins a fault; `over` resolves when it has ended by itself. */
async function inflict(control: FaultControl, fault: Fault): Promise<{ over: Promise<void> }> {
  switch (fault.kind) {
    case "kill":
      await onceItRuns(() => control.kill(fault.stack, fault.service));
      return { over: Promise.resolve() };
    case "pause":
      await onceItRuns(() => control.pause(fault.stack, fault.service));
      return { over: later(fault.forMs, () => onceItRuns(() => control.resume(fault.stack, fault.service))) };
    case "cut":
      await control.cut(fault.stack);
      return { over: later(fault.forMs, () => control.heal(fault.stack)) };
  }
}

const restartWaitMs = 30_000;
const askAgainMs = 100;

/** A process that is just being started again cannot be hit: the fault waits until it is there. */
async function onceItRuns(hit: () => Promise<unknown>): Promise<void> {
  for (const endMs = Date.now() + restartWaitMs; ;) {
    try {
      await hit();
      return;
    } catch (error) {
      const isRestarting = error instanceof LocalRunError && error.code === "wrong-state";
      if (!isRestarting || Date.now() > endMs) throw error;
    }
    await pause(askAgainMs, AbortSignal.timeout(restartWaitMs));
  }
}

async function later(milliseconds: number, then: () => Promise<unknown>): Promise<void> {
  await pause(milliseconds, AbortSignal.timeout(milliseconds + 60_000));
  await then();
}
