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
import { faultKinds } from "../../services/cli/faults/schedule.ts";

/** Nine seeds that are always the same, and one that is not: given here to see a failure again. */
const fixedRuns = 9;
/** Copies that come back older are left to `qalqan local chaos`: ten runs with them last longer than a test may. */
const kinds = faultKinds.filter((kind) => !kind.startsWith("restore-"));
const randomSeed = Number(process.env["QALQAN_SEED"] ?? Math.floor(Math.random() * 1e6) + 1_000);

describe(`a nation under load, kills, pauses, cuts, bad lines, full disks and wrong clocks (QALQAN_SEED=${randomSeed})`, () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "qalqan-"));
  let nation: Awaited<ReturnType<typeof nationForFaults>>;
  let runs: readonly RunResult[];

  beforeAll(async () => {
    const report = (line: string) => console.info(`  ${line}`);
    nation = await nationForFaults({ data: dataFolder }, dataFolder, report);
    const { impossible } = await nation.control.status();
    for (const { kind, why } of impossible) report(`skipped: ${kind}: ${why}`);
    const series = (firstSeed: number, runsMax: number, name: string) =>
      runChaos({
        dataFolder,
        control: nation.control,
        firstSeed,
        runsMax,
        untilMs: Number.POSITIVE_INFINITY,
        kinds: kinds.filter((kind) => !impossible.some((each) => each.kind === kind)),
        resultsFile: join(dataFolder, name),
        report,
        progress: report,
        signal: new AbortController().signal,
      });
    runs = [...(await series(randomSeed, 1, "random.jsonl")), ...(await series(1, fixedRuns, "fixed.jsonl"))];
    for (const line of totalLines(totalsOf(runs))) report(line);
  }, 600_000);

  afterAll(async () => {
    await nation?.[Symbol.asyncDispose]();
    rmSync(dataFolder, { recursive: true, force: true });
  });

  it("was really under load and under faults", () => {
    const { sums } = totalsOf(runs);
    expect(runs).toHaveLength(1 + fixedRuns);
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
