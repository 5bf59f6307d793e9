import { Scheduler } from "../engine/scheduler.ts";
import { Trace } from "../engine/trace.ts";
import { buildWorld } from "./build.ts";
import { checkAtRest } from "./checker.ts";
import { realCores, type Cores } from "./cores.ts";
import { Faults, type Weights } from "./faults.ts";
import { People } from "./people.ts";
import { Truth } from "./truth.ts";
import { machinesOf } from "./world.ts";

/** What a run is made of, beside its seed. */
export interface Plan {
  readonly weights: Weights;
  /** Virtual time with faults (ms). */
  readonly faultyMs: number;
  /** Between two faults, at most (ms). */
  readonly gapMsMax: number;
  readonly cores?: Cores;
  readonly keepsTrace?: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly steps: number;
  readonly acknowledged: number;
  readonly excused: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly kills: number;
  /** New epochs of regions, and how often an outbox and its lane were brought together. */
  readonly epochs: number;
  readonly reconciled: number;
  /** Virtual time from the last heal until everything agreed (ms). */
  readonly settledAfterMs: number;
  readonly traceHash: string;
  readonly trace: readonly string[];
}

const names = ["north", "south", "east", "west"];
const settleEveryMs = 4_000;
/** Virtual time after which what is not as it must be counts as broken. */
const settleMsMax = 180_000;

/** One run: the same seed and plan give the same trace, to the byte. */
export function simulate(seed: number, plan: Plan): Outcome {
  const trace = new Trace(plan.keepsTrace ?? false);
  const scheduler = new Scheduler(seed, trace);
  const truth = new Truth(scheduler);
  const regions = names.slice(0, 1 + scheduler.pickNumber(3));
  const replicas = 1 + scheduler.pickNumber(2);
  const world = buildWorld(scheduler, { regions, replicas }, { cores: plan.cores ?? realCores, truth });
  for (const machine of machinesOf(world)) machine.start();
  const people = new People(world, plan.faultyMs);
  people.start();
  const faults = new Faults(world, plan.weights);
  faults.start(plan.faultyMs, plan.gapMsMax);
  scheduler.runUntil(plan.faultyMs);
  faults.heal();
  const healedMs = scheduler.nowMs;
  let atRest: string[] = [];
  do {
    scheduler.runUntil(scheduler.nowMs + settleEveryMs);
    // What was broken on the way does not become right by waiting.
    atRest = truth.problems.length > 0 ? [] : checkAtRest(world, people);
  } while (atRest.length > 0 && scheduler.nowMs - healedMs < settleMsMax);
  return {
    seed,
    problems: [...truth.problems, ...atRest],
    steps: scheduler.steps,
    acknowledged: truth.acknowledged.length,
    excused: truth.excused.size,
    faults: faults.counts,
    kills: machinesOf(world).reduce((sum, machine) => sum + machine.kills, 0),
    epochs: truth.opened,
    reconciled: truth.reconciled,
    settledAfterMs: scheduler.nowMs - healedMs,
    traceHash: trace.hash,
    trace: trace.lines,
  };
}
