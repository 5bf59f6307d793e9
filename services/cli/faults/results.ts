import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { groupDigits, table } from "../output.ts";
import { faultKinds, type FaultKind } from "./schedule.ts";

/** One run, as a line of the results file. */
export interface RunResult {
  readonly seed: number;
  /** Of the checkout that ran; empty where it is none. */
  readonly commit: string;
  readonly at: string;
  /** Kinds that might occur: with the seed, what the schedule is made of. Empty in lines from before it was written down. */
  readonly kinds: readonly FaultKind[];
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly kills: number;
  readonly cuts: number;
  readonly restores: number;
  readonly acknowledged: number;
  readonly revoked: number;
  /** Of earlier runs on the same nation, asked about again. */
  readonly earlier: number;
  readonly lost: number;
  readonly doubled: number;
  readonly diverged: number;
  readonly refused: number;
  /** Acknowledged, in no other region yet, and lost with a disk: counted by nobody. */
  readonly atRisk: number;
  readonly convergedAfterMs: number;
  readonly milliseconds: number;
  /** Empty, or why the run came to no verdict. */
  readonly failure: string;
}

export const passed = ({ lost, doubled, diverged, refused, failure }: RunResult): boolean =>
  lost + doubled + diverged + refused === 0 && failure === "";

export function readResults(file: string): readonly RunResult[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ kinds: [], ...(JSON.parse(line) as Partial<RunResult>) }) as RunResult);
}

/** What several results files have together; a run that stands in more than one counts once. */
export function mergeResults(files: readonly string[]): readonly RunResult[] {
  const runs = files.flatMap(readResults).map((result) => [`${result.seed} ${result.at}`, result] as const);
  return [...new Map(runs).values()];
}

export function appendResult(file: string, result: RunResult): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** The seed after the last one of a series with these kinds that began with `first`: another series repeats seeds. */
export function nextSeed(results: readonly RunResult[], first: number, kinds: readonly FaultKind[]): number {
  const isSame = (other: readonly FaultKind[]) =>
    other.length === 0 || new Set(other).symmetricDifference(new Set(kinds)).size === 0;
  return results
    .filter((result) => isSame(result.kinds))
    .reduce((next, { seed }) => (seed >= next ? seed + 1 : next), first);
}

/** Sums over all runs. */
export interface Totals {
  readonly runs: number;
  readonly failed: readonly RunResult[];
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly sums: Readonly<Record<(typeof summed)[number], number>>;
}

const summed = [
  "kills",
  "cuts",
  "restores",
  "acknowledged",
  "revoked",
  "earlier",
  "lost",
  "doubled",
  "diverged",
  "refused",
  "atRisk",
  "milliseconds",
] as const;

export function totalsOf(results: readonly RunResult[]): Totals {
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  // A results file may be older than a kind.
  const count = (kind: FaultKind) => add(results.map(({ faults }) => faults[kind] ?? 0));
  return {
    runs: results.length,
    failed: results.filter((result) => !passed(result)),
    faults: Object.fromEntries(faultKinds.map((kind) => [kind, count(kind)])) as Totals["faults"],
    sums: Object.fromEntries(
      summed.map((name) => [name, add(results.map((result) => result[name]))]),
    ) as Totals["sums"],
  };
}

const faultNames: Readonly<Record<FaultKind, string>> = {
  kill: "kills",
  pause: "pauses",
  cut: "cuts",
  slow: "slow lines",
  "half-open": "half-open lines",
  "disk-full": "full disks",
  clock: "wrong clocks",
  "restore-nats": "restores of a region's NATS store",
  "restore-postgres": "restores of a region's PostgreSQL",
  "restore-both": "restores of both",
  "restore-hub": "restores of the hub's store",
};

/** A table, and a line for each run that failed. */
export function totalLines({ runs, failed, faults, sums }: Totals): string[] {
  const rows: readonly (readonly [string, number])[] = [
    ["runs", runs],
    ["minutes", Math.round(sums.milliseconds / 60_000)],
    ...faultKinds.map((kind) => [faultNames[kind], faults[kind]] as const),
    ["restores, all", sums.restores],
    ["acknowledged", sums.acknowledged],
    ["revoked", sums.revoked],
    ["asked again about earlier runs", sums.earlier],
    ["at risk: lost with a disk before anybody else knew", sums.atRisk],
    ["lost", sums.lost],
    ["doubled", sums.doubled],
    ["diverged", sums.diverged],
    ["refused", sums.refused],
  ];
  const cells = rows.map(([name, count]) => [name, groupDigits(count)]);
  return [
    ...table(["what", "count"], cells),
    ...(failed.length === 0 ? ["every run passed"] : failed.map(failedLine)),
  ];
}

function failedLine({
  seed,
  commit,
  at,
  kinds,
  lost,
  doubled,
  diverged,
  refused,
  failure,
}: RunResult): string {
  const numbers = `lost ${lost}, doubled ${doubled}, diverged ${diverged}, refused ${refused}`;
  const of = kinds.length === 0 || kinds.length === faultKinds.length ? "" : ` of ${kinds.join(",")}`;
  return `failed: seed ${seed}${of} at ${commit}, ${at}: ${failure === "" ? numbers : `no verdict: ${failure}`}`;
}
