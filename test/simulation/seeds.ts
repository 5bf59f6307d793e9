import { setImmediate as turn } from "node:timers/promises";
import { simulate, type Outcome, type Plan } from "./nation/simulate.ts";

/** A whole number from the environment; undefined: it is not set. */
function numberOf(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${name} is ${text}, and must be a whole number`);
  return value;
}

/** The seeds to run: one (QALQAN_SEED), as many as asked for (QALQAN_SEEDS), or as many as CI has time for. */
export function seedsOf(usual: number): number[] {
  const one = numberOf("QALQAN_SEED");
  if (one !== undefined) return [one];
  return Array.from({ length: numberOf("QALQAN_SEEDS") ?? usual }, (_, index) => index + 1);
}

/** The sum of many runs. */
export class Totals {
  runs = 0;
  steps = 0;
  kills = 0;
  acknowledged = 0;
  excused = 0;
  epochs = 0;
  reconciled = 0;
  readonly faults = new Map<string, number>();

  add(outcome: Outcome): void {
    this.runs += 1;
    this.steps += outcome.steps;
    this.kills += outcome.kills;
    this.acknowledged += outcome.acknowledged;
    this.excused += outcome.excused;
    this.epochs += outcome.epochs;
    this.reconciled += outcome.reconciled;
    for (const [kind, times] of outcome.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + times);
  }

  describe(): string {
    const faults = [...this.faults].map(([kind, times]) => `${kind} ${times}`).join(", ");
    const { runs, steps, kills, acknowledged, excused, epochs, reconciled } = this;
    return `${runs} seeds, ${steps} steps, ${kills} processes ended, ${acknowledged} acknowledged (${excused} of them lost with every copy), ${epochs} epochs opened, ${reconciled} times outbox and lane brought together; faults: ${faults}; lost 0, doubled 0, diverged 0`;
  }
}

/**
 * Runs seeds one after the other and stops at the first that breaks something.
 *
 * @param file the test, for the command that runs the seed again
 * @throws Error with the seed, the command, what broke and the end of the trace
 */
export async function runSeeds(file: string, seeds: readonly number[], plan: Plan): Promise<Totals> {
  const totals = new Totals();
  for (const seed of seeds) {
    const outcome = runSeed(file, seed, plan);
    if (outcome.problems.length > 0) throw new Error(failureOf(file, outcome));
    totals.add(outcome);
    // A worker that never turns is taken for dead.
    await turn();
  }
  return totals;
}

function runSeed(file: string, seed: number, plan: Plan): Outcome {
  try {
    return simulate(seed, plan);
  } catch (error) {
    throw new Error(`seed ${seed} ended with an error; again: ${commandFor(file, seed)}`, { cause: error });
  }
}

function commandFor(file: string, seed: number): string {
  return `QALQAN_SEED=${seed} npx vitest run --project unit ${file}`;
}

export function failureOf(file: string, { seed, problems, trace }: Outcome): string {
  return [
    `seed ${seed} broke ${problems.length} invariants; again: ${commandFor(file, seed)}`,
    ...problems,
    "the end of the trace:",
    ...trace,
  ].join("\n");
}

/** The first seed at which something breaks; undefined: none of them. */
export async function firstBroken(seeds: number, plan: Plan): Promise<Outcome | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = simulate(seed, plan);
    if (outcome.problems.length > 0) return outcome;
    await turn();
  }
  return undefined;
}
