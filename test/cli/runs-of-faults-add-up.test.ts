import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { History } from "../../services/cli/faults/history.ts";
import { Ledger } from "../../services/cli/faults/ledger.ts";
import {
  appendResult,
  nextSeed,
  passed,
  readResults,
  totalLines,
  totalsOf,
  type RunResult,
} from "../../services/cli/faults/results.ts";
import { describeFault, faultKinds, scheduleOf } from "../../services/cli/faults/schedule.ts";
import { runCli } from "./run-cli.ts";

const plan = {
  regions: ["astana", "almaty"],
  hub: ["nats-0", "nats-1", "nats-2"],
  kinds: faultKinds,
  kills: 5,
  others: 3,
  gapMsMax: 1_500,
};

test("a schedule is the seed's alone, and differs between seeds", () => {
  expect(scheduleOf({ ...plan, seed: 7 })).toEqual(scheduleOf({ ...plan, seed: 7 }));
  expect(scheduleOf({ ...plan, seed: 7 })).not.toEqual(scheduleOf({ ...plan, seed: 8 }));
});

test("over many seeds every kind of fault occurs, and every process of the nation is killed", () => {
  const faults = Array.from({ length: 200 }, (_, seed) => scheduleOf({ ...plan, seed }))
    .flat()
    .map(({ fault }) => fault);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(faultKinds));
  const killed = new Set(
    faults.flatMap((fault) =>
      fault.kind === "kill" ? fault.services.map((service) => `${fault.site}/${service}`) : [],
    ),
  );
  expect(killed.size).toBe(2 * 5 + 3 + 2);
  expect(faults.map(describeFault).filter((line) => !line.includes("/") && !/ for /.test(line))).toEqual([]);
});

test("what may not occur does not occur", () => {
  const faults = scheduleOf({ ...plan, seed: 1, kinds: ["cut"] });
  expect(faults.map(({ fault }) => fault.kind)).toEqual(["cut", "cut", "cut"]);
});

const result = (seed: number, own: Partial<RunResult> = {}): RunResult => ({
  seed,
  commit: "abc",
  at: `2026-01-01T00:00:00.0${seed}Z`,
  kinds: faultKinds,
  faults: Object.fromEntries(faultKinds.map((kind) => [kind, 1])) as RunResult["faults"],
  kills: 5,
  cuts: 1,
  restores: 2,
  acknowledged: 100,
  revoked: 10,
  earlier: 50,
  lost: 0,
  doubled: 0,
  diverged: 0,
  refused: 0,
  atRisk: 0,
  convergedAfterMs: 3_000,
  milliseconds: 20_000,
  failure: "",
  ...own,
});

test("a series goes on after its last seed; its totals name the runs that failed, and the exit code says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-test-"));
  try {
    const file = join(folder, "runs.jsonl");
    expect(nextSeed(readResults(file), 40, faultKinds)).toBe(40);
    appendResult(file, result(40));
    appendResult(file, result(41));
    expect(nextSeed(readResults(file), 40, faultKinds)).toBe(42);
    const good = await runCli("local", "chaos", "--summary", "--results", file, "--json");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({
      runs: 2,
      failed: [],
      sums: { acknowledged: 200, kills: 10 },
    });
    appendResult(file, result(42, { lost: 1 }));
    appendResult(file, result(43, { failure: "the nation did not start" }));
    const results = readResults(file);
    expect(results.map(passed)).toEqual([true, true, false, false]);
    expect(totalLines(totalsOf(results)).slice(-2)).toEqual([
      "failed: seed 42 at abc, 2026-01-01T00:00:00.042Z: lost 1, doubled 0, diverged 0, refused 0",
      "failed: seed 43 at abc, 2026-01-01T00:00:00.043Z: no verdict: the nation did not start",
    ]);
    expect((await runCli("local", "chaos", "--summary", "--results", file)).code).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("one file holds several series: a seed comes again with other kinds, and files add up, each run once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-test-"));
  try {
    const [one, other] = [join(folder, "one.jsonl"), join(folder, "other.jsonl")];
    appendResult(one, result(40));
    appendResult(one, result(41, { kinds: ["kill", "cut"] }));
    expect(nextSeed(readResults(one), 40, ["cut", "kill"])).toBe(42);
    expect(nextSeed(readResults(one), 40, faultKinds)).toBe(41);
    expect(nextSeed(readResults(one), 40, ["kill"])).toBe(40);
    // Of a line from before kinds were written down nobody knows the series: its seed is not used again.
    const { kinds: _, ...before } = result(50);
    writeFileSync(
      other,
      `${JSON.stringify(before)}\n${JSON.stringify(result(41, { kinds: ["kill", "cut"] }))}\n`,
    );
    expect(nextSeed(readResults(other), 40, ["kill"])).toBe(51);
    const summary = await runCli("local", "chaos", "--summary", "--results", one, other);
    expect(summary.stdout).toMatch(/^runs +3$/m);
    expect(summary.stdout).toMatch(/^restores of the hub's store +3$/m);
    expect(summary.stdout).toMatch(/^every run passed$/m);
    expect((await runCli("local", "chaos", "--runs", "1", "--results", one, other)).code).not.toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("later runs ask about what earlier ones were promised, but for what was lost with a disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-test-"));
  try {
    const ledger = new Ledger();
    for (const number of ["+441", "+442", "+443"]) ledger.open("astana", number, number).directive = number;
    const [, atRisk] = ledger.entries;
    if (atRisk !== undefined) atRisk.isAtRisk = true;
    const history = new History(folder);
    expect(history.sample(10, 1)).toEqual([]);
    history.add(ledger.acknowledged);
    expect(history.sample(100, 1).map(({ number }) => number)).toEqual(["+441", "+443"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
