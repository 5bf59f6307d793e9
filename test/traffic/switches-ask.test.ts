import { afterEach, describe, expect, it } from "vitest";
import { readPopulation } from "../../services/cli/traffic/population.ts";
import { trafficDocument, trafficLines } from "../../services/cli/traffic/report.ts";
import { runTraffic, type TrafficPlan, type TrafficState } from "../../services/cli/traffic/run.ts";
import { smallNation, takeCalls } from "./a-small-nation.ts";
import { OwnScreening, type Rule } from "./screening-of-its-own.ts";

const population = readPopulation();
const north = smallNation.regions.slice(0, 1);
const blocksCampaigns: Rule = ({ callingNumber }) =>
  /^(\+|00)1/.test(callingNumber)
    ? { verdict: "block", reason: "number" }
    : { verdict: "allow", reason: "no-match" };

const plan: TrafficPlan = {
  seed: 42,
  run: "run-1",
  callsPerSecond: undefined,
  beginsAtMs: Date.parse("2026-03-02T06:30:00Z"),
  callsMax: 2_000,
  // Longer than any machine takes: where the timer matters, the test sets it.
  answerWaitMs: 10_000,
  inFlightMax: 100,
};

describe("the simulator at a region's screening", () => {
  let screening: OwnScreening | undefined;
  afterEach(async () => {
    await screening?.[Symbol.asyncDispose]();
  });

  async function run(
    rule: Rule,
    changes: Partial<TrafficPlan>,
    signal = new AbortController().signal,
    report: (state: TrafficState) => void = () => undefined,
  ): Promise<TrafficState> {
    screening = new OwnScreening(rule);
    await screening.listen();
    const access = {
      regions: await Promise.all(north.map(async (region) => ({ region, screening: await own().client() }))),
      campaignNumbers: smallNation.campaignNumbers,
      protectedNumbers: smallNation.protectedNumbers,
    };
    return runTraffic(population, access, { ...plan, ...changes }, signal, report);
  }

  function own(): OwnScreening {
    if (screening === undefined) throw new Error("no screening was started");
    return screening;
  }

  it("asks about the calls of the seed, all of them, with the certificate of a switch, and knows what was caught", async () => {
    const { ledger, calls, outages } = await run(blocksCampaigns, {});
    const made = takeCalls(population, plan.seed, 2_000, { ...smallNation, regions: north });
    expect(own().asked.map(({ chargingId, callId }) => chargingId || callId)).toEqual(
      made.map(({ questions }) => questions[0]?.request.chargingId || questions[0]?.request.callId),
    );
    expect(new Set(own().peers)).toEqual(new Set(["switch.local"]));
    expect([calls, outages, ledger.questions]).toEqual([
      2_000,
      [],
      { answered: 2_000, late: 0, lost: 0, unsent: 0 },
    ]);
    const campaigns = made.filter(({ kind }) => kind === "campaign");
    expect(ledger.byKind.campaign).toMatchObject({
      calls: campaigns.length,
      caught: campaigns.length,
      missed: 0,
    });
    const newYorkers = made.filter(
      ({ kind, calling }) => kind === "ordinary-foreign" && calling.startsWith("+1"),
    );
    expect(ledger.byKind["ordinary-foreign"].wronglyStopped).toBe(newYorkers.length);
    const pairs = new Set(
      made
        .filter(({ calling }) => calling.startsWith("+1"))
        .map(({ calling, called }) => `${calling} ${called}`),
    );
    expect(ledger.expected()).toMatchObject({ calls: 2_000, intercepted: pairs.size, forged: 0 });
  });

  it("lets calls go on that are answered after the switch's own timer, and still counts their answers", async () => {
    const late: Rule = () => ({ verdict: "block", reason: "number", afterMs: 120 });
    const { ledger } = await run(late, { callsMax: 20, answerWaitMs: 50 });
    expect(ledger.questions).toEqual({ answered: 0, late: 20, lost: 0, unsent: 0 });
    expect(ledger.expected()).toMatchObject({ calls: 20, questions: 20 });
    expect(ledger.verdicts.block).toBe(0);
  });

  it("does not send more at once than its limit: what cannot be asked goes on", async () => {
    const never: Rule = () => undefined;
    const { ledger } = await run(never, { callsMax: 30, answerWaitMs: 20, inFlightMax: 10 });
    expect(ledger.questions).toEqual({ answered: 0, late: 0, lost: 10, unsent: 20 });
    expect(own().asked).toHaveLength(10);
  });

  it("goes on while screening is away, comes back by itself, and accounts for every call", async () => {
    const stop = new AbortController();
    let died = false;
    let restarted: Promise<void> | undefined;
    let answeredAtReturn: number | undefined;
    const { ledger, calls, outages } = await run(
      blocksCampaigns,
      { callsPerSecond: 400, callsMax: undefined },
      stop.signal,
      (state) => {
        const { answered, unsent } = state.ledger.questions;
        if (!died) {
          died = true;
          own().die();
        } else if (unsent > 100 && restarted === undefined) {
          restarted = own().start();
          answeredAtReturn = answered;
        } else if (answeredAtReturn !== undefined && answered > answeredAtReturn + 200) stop.abort();
      },
    );
    await restarted;
    const { answered, late, lost, unsent } = ledger.questions;
    expect(answered + late + lost + unsent).toBe(calls);
    expect(outages).toHaveLength(1);
    expect(outages[0]).toMatchObject({ region: "north", lost });
    expect(ledger.expected().calls).toBe(answered + late);
    expect(own().asked.length).toBeGreaterThanOrEqual(answered + late);
    expect(own().asked.length).toBeLessThanOrEqual(answered + late + lost);
  });

  it("ends at a signal with every answer in", async () => {
    const stop = new AbortController();
    const slow: Rule = () => ({ verdict: "allow", reason: "no-match", afterMs: 40 });
    const limits = { callsPerSecond: 200, callsMax: undefined, inFlightMax: 10_000 };
    const { ledger, calls } = await run(slow, limits, stop.signal, () => stop.abort());
    expect(ledger.questions).toEqual({ answered: calls, late: 0, lost: 0, unsent: 0 });
  });

  it("says in one document and in a few lines how it went", async () => {
    const state = await run(blocksCampaigns, { callsMax: 500 });
    const document = trafficDocument(state, plan.seed, ["north"]);
    expect(JSON.parse(JSON.stringify(document))).toMatchObject({
      seed: 42,
      regions: ["north"],
      calls: 500,
      asked: 500,
      answered: 500,
      unanswered: 0,
      uncertainCalls: 0,
      expected: { calls: 500 },
    });
    expect(trafficLines(document).join("\n")).toContain("500 calls");
  });
});
