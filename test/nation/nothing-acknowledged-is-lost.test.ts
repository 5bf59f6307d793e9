import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { accessNation } from "../../services/cli/faults/access.ts";
import { checkNation } from "../../services/cli/faults/checker.ts";
import { Ledger } from "../../services/cli/faults/ledger.ts";
import { runFaults, type FaultRunResult } from "../../services/cli/faults/runner.ts";
import { RunningNation } from "./running-nation.ts";

/** The seed of a run that failed is given here to see it again. */
const seed = Number(process.env["QALQAN_SEED"] ?? Math.floor(Math.random() * 1e6));

describe(`a nation whose processes are killed under load (QALQAN_SEED=${seed})`, () => {
  let nation: RunningNation;
  let result: FaultRunResult;

  beforeAll(async () => {
    nation = await RunningNation.start();
    using access = await accessNation(nation.dataFolder);
    result = await runFaults(access, connectControl(nation.dataFolder), {
      schedule: {
        seed,
        regions: access.regions.map(({ region }) => region),
        kills: 24,
        pauses: 3,
        cuts: 3,
        gapMsMax: 2_500,
      },
      load: { clients: 3, pauseMsMax: 150 },
      report: (line) => console.info(`  ${line}`),
    });
    console.info(JSON.stringify(result, undefined, 2));
  }, 400_000);

  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  it("was really under load and under faults", () => {
    expect(result.kills).toBeGreaterThanOrEqual(20);
    expect(result.acknowledged).toBeGreaterThan(100);
    expect(result.revoked).toBeGreaterThan(10);
    expect(result.questionsAnswered).toBeGreaterThan(100);
  });

  it("loses nothing that it acknowledged: every region enforces it", () => {
    expect(result.lost).toEqual([]);
  });

  it("doubles nothing, however often a request was repeated", () => {
    expect(result.doubled).toEqual([]);
  });

  it("comes back to one table in all regions", () => {
    expect(result.diverged).toEqual([]);
  });

  it("would be found out: a promise that nobody kept is lost and missing at the capital", async () => {
    using access = await accessNation(nation.dataFolder);
    const invented = new Ledger();
    const entry = invented.open("astana", "+447999999999", "invented");
    entry.directive = "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const verdict = await checkNation(access, invented, 5_000);
    expect(verdict.lost).toHaveLength(access.regions.length);
    expect(verdict.doubled).toHaveLength(1);
  });

  it("refuses nothing but for an outage, and stops no ordinary call", () => {
    expect(result.refused).toEqual([]);
  });
});
