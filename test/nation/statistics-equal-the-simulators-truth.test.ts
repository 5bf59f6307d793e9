import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import type { TrafficDocument } from "../../services/cli/traffic/report.ts";
import { RunningNation, type DirectiveDocument, type StatisticsDocument } from "./running-nation.ts";

/** Of the nation; the beginning is the busiest hour, so that this is the rate. */
const callsPerSecond = 150;
/** Screening six times, and each other kind of process that its counters pass through. */
const killed = [
  "almaty/screening",
  "capital/coordination",
  "mangystau/screening",
  "astana/nats",
  "almaty/screening",
  "capital/nats",
  "astana/screening",
  "mangystau/replication",
  "mangystau/screening",
  "capital/postgres",
  "astana/screening",
];
const regions = ["astana", "almaty", "mangystau"];
const seconds = 1_000;

type Figures = Pick<
  StatisticsDocument,
  "calls" | "intercepted" | "forged" | "questions" | "shadowStopped"
> & {
  readonly byVerdict: Readonly<Record<string, number>>;
  readonly byRegion: StatisticsDocument["byRegion"];
};

describe("the capital's statistics beside the truth of the switch simulator", () => {
  let nation: RunningNation;

  const statistics = () => nation.json<StatisticsDocument>("statistics", "--since", "2h");

  /** What is counted when nothing is under way any more: two equal readings. */
  async function settled(): Promise<StatisticsDocument> {
    let before = await statistics();
    for (let reading = 0; reading < 30; reading++) {
      await sleep(2_000);
      const now = await statistics();
      if (JSON.stringify(now) === JSON.stringify(before)) return now;
      before = now;
    }
    throw new Error("the statistics go on moving without calls");
  }

  /** Traffic of a seed while something else happens: its truth, and what the capital counted more than before. */
  async function compare(
    seed: number,
    meanwhile: () => Promise<void>,
  ): Promise<{ truth: TrafficDocument; counted: Figures }> {
    const before = await settled();
    const asking = nation.begin(
      ...["traffic", "--seed", String(seed), "--at", "11:00", "--json"],
      ...["--calls-per-second", String(callsPerSecond)],
    );
    await expect
      .poll(async () => (await statistics()).calls, { timeout: 60 * seconds, interval: 500 })
      .toBeGreaterThan(before.calls + callsPerSecond);
    await meanwhile();
    await sleep(3 * seconds);
    asking.interrupt();
    const truth = JSON.parse((await asking.ended).stdout) as TrafficDocument;
    return { truth, counted: difference(await settled(), before) };
  }

  /** Until every process answers again, and a little longer. */
  async function recovered(): Promise<void> {
    const control = connectControl(nation.dataFolder);
    await expect
      .poll(async () => (await control.status()).services.every(({ state }) => state === "ready"), {
        timeout: 60 * seconds,
        interval: 250,
      })
      .toBe(true);
    await sleep(1.5 * seconds);
  }

  beforeAll(async () => {
    nation = await RunningNation.start();
    // Half of the campaigns' numbers are blocked, so that there is something to intercept.
    const range = await nation.json<DirectiveDocument>(
      ...[
        "directive",
        "issue",
        "--region",
        "astana",
        "--range",
        "+12000000000-+15999999999",
        "--action",
        "block",
      ],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d"],
    );
    await nation.json<DirectiveDocument>("directive", "approve", range.id, "--wait");
  });
  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  it("are equal in every figure when nothing happens", async () => {
    const { truth, counted } = await compare(1, () => sleep(8 * seconds));
    console.info(`  answers by reason: ${JSON.stringify(truth.byReason)}`);
    expect(truth).toMatchObject({ outages: [], uncertainCalls: 0 });
    expect(truth.calls).toBeGreaterThan(1_000);
    expect(truth.expected.intercepted).toBeGreaterThan(10);
    expect(truth.expected.forged).toBeGreaterThan(10);
    const { fallbackCalls: _fallbackCalls, ...expected } = truth.expected;
    expect(counted).toEqual({ ...expected, byVerdict: withoutZeros(expected.byVerdict) });
  });

  it("double nothing when processes are killed, and miss at most what was answered in the last 100 ms", async () => {
    const { truth, counted } = await compare(2, async () => {
      for (const process of killed) {
        await nation.json("local", "kill", process);
        await recovered();
      }
    });
    const { outages, expected, uncertainCalls, unansweredBy } = truth;
    const justBefore = outages.reduce((sum, { answeredJustBefore }) => sum + answeredJustBefore, 0);
    console.info(
      `  ${expected.calls} calls answered, ${counted.calls} counted; ${outages.length} streams ended, ${justBefore} questions answered in the 100 ms before, ${unansweredBy.lost} never`,
    );
    expect(outages.length).toBeGreaterThanOrEqual(3);
    expect(outages.length).toBeLessThanOrEqual(
      killed.filter((process) => process.endsWith("screening")).length,
    );
    expect(expected.calls - counted.calls, "answered, not counted").toBeLessThanOrEqual(justBefore);
    expect(expected.questions - counted.questions, "answered, not counted").toBeLessThanOrEqual(justBefore);
    expect(counted.calls, "calls counted twice").toBeLessThanOrEqual(expected.calls + uncertainCalls);
    for (const figure of ["questions", "intercepted", "forged", "shadowStopped"] as const) {
      expect(counted[figure], `${figure} counted twice`).toBeLessThanOrEqual(
        expected[figure] + unansweredBy.lost,
      );
      expect(expected[figure] - counted[figure], `${figure} not counted`).toBeLessThanOrEqual(justBefore);
    }
  });

  it("miss nothing when screening is stopped in order under load", async () => {
    const control = connectControl(nation.dataFolder);
    const { truth, counted } = await compare(3, async () => {
      for (const region of regions) {
        await control.stopService(region, "screening");
        await control.startService(region, "screening");
        await recovered();
      }
    });
    const { outages, expected, uncertainCalls, unansweredBy } = truth;
    expect(outages).toHaveLength(regions.length);
    expect(expected.calls - counted.calls, "answered, not counted").toBeLessThanOrEqual(0);
    expect(expected.questions - counted.questions, "answered, not counted").toBeLessThanOrEqual(0);
    expect(counted.calls, "calls counted twice").toBeLessThanOrEqual(expected.calls + uncertainCalls);
    expect(counted.questions, "questions counted twice").toBeLessThanOrEqual(
      expected.questions + unansweredBy.lost,
    );
    expect(counted.intercepted, "intercepted twice").toBeLessThanOrEqual(
      expected.intercepted + unansweredBy.lost,
    );
  });
});

/** What was counted between two readings. */
function difference(after: StatisticsDocument, before: StatisticsDocument): Figures {
  const byVerdict = Object.entries(after.byVerdict).map(([verdict, count]) => [
    verdict,
    count - (before.byVerdict[verdict] ?? 0),
  ]);
  const byRegion = Object.entries(after.byRegion).map(([region, figures]) => {
    const earlier = before.byRegion[region];
    return [
      region,
      {
        calls: figures.calls - (earlier?.calls ?? 0),
        intercepted: figures.intercepted - (earlier?.intercepted ?? 0),
        forged: figures.forged - (earlier?.forged ?? 0),
      },
    ];
  });
  return {
    calls: after.calls - before.calls,
    intercepted: after.intercepted - before.intercepted,
    forged: after.forged - before.forged,
    questions: after.questions - before.questions,
    shadowStopped: after.shadowStopped - before.shadowStopped,
    byVerdict: withoutZeros(Object.fromEntries(byVerdict) as Record<string, number>),
    byRegion: Object.fromEntries(byRegion) as StatisticsDocument["byRegion"],
  };
}

/** A verdict that was never given may be left out. */
function withoutZeros(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
