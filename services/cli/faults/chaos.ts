import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Control } from "#infra/local/control.ts";
import { checkoutFolder } from "#infra/local/launch.ts";
import { accessNation } from "./access.ts";
import { History } from "./history.ts";
import { appendResult, nextSeed, passed, readResults, type RunResult } from "./results.ts";
import { runFaults, type FaultRunResult } from "./runner.ts";
import { faultKinds, scheduleOf, type FaultKind, type SchedulePlan } from "./schedule.ts";

export interface ChaosPlan {
  /** Of a nation that runs. */
  readonly dataFolder: string;
  readonly control: Control;
  /** Of the first run of the series; the runs of the results file with the same kinds are behind us. */
  readonly firstSeed: number;
  readonly runsMax: number;
  /** No run begins later. */
  readonly untilMs: number;
  readonly kinds: readonly FaultKind[];
  readonly resultsFile: string;
  /** Takes lines that stay. */
  readonly report: (line: string) => void;
  /** Takes what is being done now. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** About fifteen seconds of faults. */
const runSize = { kills: 5, others: 3, gapMsMax: 1_500 } as const;
const load = { clients: 2, pauseMsMax: 150 } as const;
const earlierAsked = 100;
const findingsShown = 10;
/** Numbers differ by it: no two runs begin within one second. */
const blocks = 1_000_000;

/**
 * One run after the other, each added to the results file; ends after a run
 * that failed, with what it saw kept beside that file.
 *
 * @returns the runs of this call
 */
export async function runChaos(plan: ChaosPlan): Promise<readonly RunResult[]> {
  const done: RunResult[] = [];
  while (done.length < plan.runsMax && Date.now() < plan.untilMs && !plan.signal.aborted) {
    const seed = nextSeed(readResults(plan.resultsFile), plan.firstSeed, plan.kinds);
    const result = await oneRun(plan, seed);
    appendResult(plan.resultsFile, result);
    done.push(result);
    plan.report(runLine(result));
    if (!passed(result)) break;
  }
  return done;
}

async function oneRun(plan: ChaosPlan, seed: number): Promise<RunResult> {
  const { control, dataFolder } = plan;
  const began = Date.now();
  using access = await accessNation(dataFolder);
  const { services } = await control.status();
  const hub = services
    .filter(({ region, service }) => region === "capital" && service.startsWith("nats"))
    .map(({ service }) => service);
  const regions = access.regions.map(({ region }) => region);
  const schedule: SchedulePlan = { ...runSize, seed, regions, hub, kinds: plan.kinds };
  const history = new History(dataFolder);
  const told: string[] = [];
  try {
    const result = await runFaults(access, control, {
      schedule,
      load: { ...load, block: Math.floor(began / 1_000) % blocks },
      earlier: history.sample(earlierAsked, seed),
      report: (line) => {
        told.push(`${new Date().toISOString()} ${line}`);
        plan.progress(`seed ${seed}: ${line}`);
      },
    });
    history.add(result.ledger.acknowledged);
    const line = { ...resultOf(result, plan.kinds), milliseconds: Date.now() - began };
    if (!passed(line)) {
      const found = [...result.lost, ...result.doubled, ...result.diverged, ...result.refused];
      for (const each of found.slice(0, findingsShown)) plan.report(`seed ${seed}: ${each}`);
      keepEvidence(plan, seed, { told, schedule: scheduleOf(schedule), result });
    }
    return line;
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    keepEvidence(plan, seed, { told, schedule: scheduleOf(schedule), failure });
    return { ...emptyResult(seed, plan.kinds), failure, milliseconds: Date.now() - began };
  }
}

function resultOf(result: FaultRunResult, kinds: readonly FaultKind[]): RunResult {
  const { faults } = result;
  return {
    ...emptyResult(result.seed, kinds),
    faults,
    kills: faults.kill,
    cuts: faults.cut + faults["half-open"],
    restores:
      faults["restore-nats"] + faults["restore-postgres"] + faults["restore-both"] + faults["restore-hub"],
    acknowledged: result.acknowledged,
    revoked: result.revoked,
    earlier: result.earlier,
    lost: result.lost.length,
    doubled: result.doubled.length,
    diverged: result.diverged.length,
    refused: result.refused.length,
    atRisk: result.atRisk,
    convergedAfterMs: result.convergedAfterMs,
  };
}

function emptyResult(seed: number, kinds: readonly FaultKind[]): RunResult {
  const none = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  return {
    seed,
    commit: commitOf(),
    at: new Date().toISOString(),
    kinds,
    faults: none,
    kills: 0,
    cuts: 0,
    restores: 0,
    acknowledged: 0,
    revoked: 0,
    earlier: 0,
    lost: 0,
    doubled: 0,
    diverged: 0,
    refused: 0,
    atRisk: 0,
    convergedAfterMs: 0,
    milliseconds: 0,
    failure: "",
  };
}

function commitOf(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: checkoutFolder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}

/** The logs of every process, what was done when, and what was found. */
function keepEvidence(plan: ChaosPlan, seed: number, found: object): void {
  const place = join(`${plan.resultsFile}.evidence`, `seed-${seed}`);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "run.json"), JSON.stringify(found, undefined, 2));
  cpSync(join(plan.dataFolder, "logs"), join(place, "logs"), { recursive: true });
  plan.report(`seed ${seed}: what was seen is kept in ${place}`);
}

function runLine(result: RunResult): string {
  const { seed, acknowledged, earlier, lost, doubled, diverged, refused, failure } = result;
  const seconds = (result.milliseconds / 1_000).toFixed(1);
  const numbers = `acknowledged ${acknowledged} (+${earlier} earlier), lost ${lost}, doubled ${doubled}, diverged ${diverged}, refused ${refused}`;
  return `seed ${seed}: ${failure === "" ? numbers : `no verdict: ${failure}`}; ${seconds} s`;
}
