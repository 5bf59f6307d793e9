import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { FaultKind } from "./schedule.ts";

/** One run, as a line of the results file. */
export interface RunResult {
  readonly seed: number;
  /** Of the checkout that ran; empty where it is none. */
  readonly commit: string;
  readonly at: string;
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
    .map((line) => JSON.parse(line) as RunResult);
}

export function appendResult(file: string, result: RunResult): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** The seed after the last one of a series that began with `first`. */
export function nextSeed(results: readonly RunResult[], first: number): number {
  return results.reduce((next, { seed }) => (seed >= next ? seed + 1 : next), first);
}

/** Sums over all runs. */
export interface Totals {
  readonly runs: number;
  readonly failed: readonly number[];
  readonly faults: Readonly<Record<string, number>>;
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
  const kinds = [...new Set(results.flatMap(({ faults }) => Object.keys(faults)))] as FaultKind[];
  return {
    runs: results.length,
    failed: results.filter((result) => !passed(result)).map(({ seed }) => seed),
    faults: Object.fromEntries(
      kinds.map((kind) => [kind, add(results.map(({ faults }) => faults[kind] ?? 0))]),
    ),
    sums: Object.fromEntries(
      summed.map((name) => [name, add(results.map((result) => result[name]))]),
    ) as Totals["sums"],
  };
}

export function totalLines({ runs, failed, faults, sums }: Totals): string[] {
  const { milliseconds, earlier, atRisk, ...counts } = sums;
  return [
    `${runs} runs in ${Math.round(milliseconds / 1_000)} s: ${Object.entries(faults)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ")}`,
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
    `asked again about ${earlier} of earlier runs; lost with a disk before anybody else knew, so promised to nobody: at most ${atRisk}`,
    failed.length === 0 ? "every run passed" : `failed: seeds ${failed.join(", ")}`,
  ];
}
