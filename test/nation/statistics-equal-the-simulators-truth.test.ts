import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import type { TrafficDocument } from "../../services/cli/traffic/report.ts";
import { RunningNation, type DirectiveDocument, type StatisticsDocument } from "./running-nation.ts";

/** Of the nation; the beginning is the busiest hour, so that this is the rate. */
const callsPerSecond = 150;
const killedFor = "45";
/** Seven kills of screening, and each other kind of process once: site/service, seconds after the one before. */
const kills = [
  ["almaty/screening", 3],
  ["capital/coordination", 3],
  ["mangystau/screening", 3],
  ["astana/nats", 3],
  ["almaty/screening", 5],
  ["capital/nats", 3],
  ["astana/screening", 5],
  ["mangystau/replication", 3],
  ["mangystau/screening", 2],
  ["capital/postgres", 3],
  ["astana/screening", 3],
  ["almaty/screening", 3],
] as const;

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

  /** Traffic of a seed, while something else happens; gives its truth, and what the capital counted more than before. */
  async function compare(
    seed: number,
    seconds: string,
    meanwhile: () => Promise<void>,
  ): Promise<{ truth: TrafficDocument; counted: Figures }> {
    const before = await settled();
    const asking = nation.json<TrafficDocument>(
      ...["traffic", "--seed", String(seed), "--at", "11:00", "--seconds", seconds],
      ...["--calls-per-second", String(callsPerSecond)],
    );
    await meanwhile();
    const truth = await asking;
    return { truth, counted: difference(await settled(), before) };
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
    const { truth, counted } = await compare(1, "15", async () => undefined);
    expect(truth).toMatchObject({ outages: [], uncertainCalls: 0 });
    expect(truth.calls).toBeGreaterThan(1_000);
    expect(truth.expected.intercepted).toBeGreaterThan(10);
    expect(truth.expected.forged).toBeGreaterThan(10);
    const { fallbackCalls: _fallbackCalls, ...expected } = truth.expected;
    expect(counted).toEqual({ ...expected, byVerdict: withoutZeros(expected.byVerdict) });
  });

  it("double nothing when processes are killed, and miss at most what was answered in the last 100 ms", async () => {
    const { truth, counted } = await compare(2, killedFor, async () => {
      for (const [process, seconds] of kills) {
        await sleep(seconds * 1_000);
        await nation.json("local", "kill", process);
      }
    });
    const screeningKills = kills.filter(([process]) => process.endsWith("/screening")).length;
    expect(truth.outages).toHaveLength(screeningKills);
    const justBefore = truth.outages.reduce((sum, { answeredJustBefore }) => sum + answeredJustBefore, 0);
    const { calls, questions, intercepted, forged } = truth.expected;
    const lost = truth.unansweredBy.lost;
    const missing = calls - counted.calls;
    console.info(
      `  ${calls} calls answered, ${counted.calls} counted; ${justBefore} answered within 100 ms before ${screeningKills} kills, ${lost} questions without an answer`,
    );
    expect(missing, "answered, not counted").toBeLessThanOrEqual(justBefore);
    expect(counted.calls, "counted twice").toBeLessThanOrEqual(calls + truth.uncertainCalls);
    expect(counted.questions, "counted twice").toBeLessThanOrEqual(questions + lost);
    expect(counted.intercepted, "intercepted twice").toBeLessThanOrEqual(intercepted + lost);
    expect(counted.forged, "forged twice").toBeLessThanOrEqual(forged + lost);
    expect(intercepted - counted.intercepted).toBeLessThanOrEqual(justBefore);
    expect(forged - counted.forged).toBeLessThanOrEqual(justBefore);
  }, 300_000);

  it("miss nothing when screening is stopped in order under load", async () => {
    const control = connectControl(nation.dataFolder);
    const { truth, counted } = await compare(3, "30", async () => {
      for (const region of truthRegions) {
        await sleep(4_000);
        await control.stopService(region, "screening");
        await control.startService(region, "screening");
      }
    });
    expect(truth.outages).toHaveLength(truthRegions.length);
    const { calls, questions } = truth.expected;
    expect(counted.calls).toBeGreaterThanOrEqual(calls);
    expect(counted.calls).toBeLessThanOrEqual(calls + truth.uncertainCalls);
    expect(counted.questions).toBeGreaterThanOrEqual(questions);
    expect(counted.questions).toBeLessThanOrEqual(questions + truth.unansweredBy.lost);
  }, 200_000);
});

const truthRegions = ["astana", "almaty", "mangystau"];

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
