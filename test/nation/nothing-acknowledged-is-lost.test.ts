import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessNation } from "../../services/cli/faults/access.ts";
import { runChaos } from "../../services/cli/faults/chaos.ts";
import { checkNation } from "../../services/cli/faults/checker.ts";
import { Ledger } from "../../services/cli/faults/ledger.ts";
import { nationForFaults } from "../../services/cli/faults/nation.ts";
import { totalLines, totalsOf, type RunResult } from "../../services/cli/faults/results.ts";
import { faultKinds, type FaultKind } from "../../services/cli/faults/schedule.ts";

/** A dozen runs: one of any kinds by a seed that is not always the same, given here to see a failure again; */
const restoring = faultKinds.filter((kind) => kind.startsWith("restore-"));
/** seven of everything but copies that come back older, by seeds that are always the same; */
const fixedRuns = 7;
/** and one with each kind of such a copy, beside two other kinds. */
const beside: readonly (readonly FaultKind[])[] = [
  ["cut", "disk-full"],
  ["half-open", "clock"],
  ["pause", "slow"],
  ["cut", "clock"],
];
const randomSeed = Number(process.env["QALQAN_SEED"] ?? Math.floor(Math.random() * 1e6) + 1_000);

describe(`a nation under load, kills, pauses, cuts, bad lines, full disks, wrong clocks and restores (QALQAN_SEED=${randomSeed})`, () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "qalqan-"));
  let nation: Awaited<ReturnType<typeof nationForFaults>>;
  let runs: readonly RunResult[];

  beforeAll(async () => {
    const report = (line: string) => console.info(`  ${line}`);
    nation = await nationForFaults({ data: dataFolder }, dataFolder, report);
    const { impossible } = await nation.control.status();
    for (const { kind, why } of impossible) report(`skipped: ${kind}: ${why}`);
    const series = (firstSeed: number, runsMax: number, kinds: readonly FaultKind[]) =>
      runChaos({
        dataFolder,
        control: nation.control,
        firstSeed,
        runsMax,
        untilMs: Number.POSITIVE_INFINITY,
        kinds: kinds.filter((kind) => !impossible.some((each) => each.kind === kind)),
        resultsFile: join(dataFolder, "runs.jsonl"),
        report,
        progress: report,
        signal: new AbortController().signal,
      });
    const done = [...(await series(randomSeed, 1, faultKinds))];
    const others = faultKinds.filter((kind) => !restoring.includes(kind));
    done.push(...(await series(1, fixedRuns, others)));
    for (const [place, kind] of restoring.entries())
      done.push(...(await series(place + 1, 1, ["kill", kind, ...(beside[place] ?? [])])));
    runs = done;
    for (const line of totalLines(totalsOf(runs))) report(line);
  }, 1_500_000);

  afterAll(async () => {
    await nation?.[Symbol.asyncDispose]();
    rmSync(dataFolder, { recursive: true, force: true });
  });

  it("was really under load and under faults", () => {
    const { sums, faults } = totalsOf(runs);
    expect(runs).toHaveLength(12);
    for (const kind of restoring) expect(faults[kind]).toBeGreaterThan(0);
    expect(sums.kills).toBeGreaterThan(40);
    expect(sums.acknowledged).toBeGreaterThan(500);
    expect(sums.revoked).toBeGreaterThan(50);
  });

  it("loses nothing that it acknowledged: every region enforces it", () => {
    expect(runs.filter(({ lost }) => lost > 0)).toEqual([]);
  });

  it("doubles nothing, however often a request was repeated", () => {
    expect(runs.filter(({ doubled }) => doubled > 0)).toEqual([]);
  });

  it("comes back to one table in all regions", () => {
    expect(runs.filter(({ diverged }) => diverged > 0)).toEqual([]);
  });

  it("refuses nothing but for an outage, and stops no ordinary call", () => {
    expect(runs.filter(({ refused, failure }) => refused > 0 || failure !== "")).toEqual([]);
  });

  it("would be found out: a promise that nobody kept is lost, in every region and at the capital", async () => {
    using access = await accessNation(dataFolder);
    const invented = new Ledger();
    const entry = invented.open("astana", "+447999999999", "invented");
    entry.directive = "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const verdict = await checkNation(access, invented, [], 5_000);
    expect(verdict.lost).toHaveLength(access.regions.length + 1);
  });
});
