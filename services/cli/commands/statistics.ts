import type { Command } from "commander";
import type { Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import { withSession } from "../action.ts";
import { parseSince } from "../durations.ts";
import { examples, regionOption, type GlobalOptions } from "../options.ts";
import { answer, groupDigits, table } from "../output.ts";
import { first } from "../people.ts";
import type { Session } from "../session.ts";

interface Options {
  region?: string;
  since: string;
}

export function define(command: Command): void {
  command
    .addOption(regionOption("only calls to people of this region", false))
    .option("--since <time>", "24h, 7d back from now, or a time (ISO 8601)", "24h")
    .action(withSession(run, ({ since }: Options) => parseSince("since", since, Date.now())));
  examples(command, "qalqan statistics", "qalqan statistics --region almaty --since 1h --json");
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const sinceMs = parseSince("since", options.since, Date.now());
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const statistics = await coordination.call("getStatistics", { region: options.region ?? "", sinceMs });
  answer(options, documentOf(statistics), () => lines(statistics));
}

function documentOf(statistics: Statistics) {
  const { calls, intercepted, forged, byVerdict, byRegion, questions, shadowStopped, fallbackShare } =
    statistics;
  return {
    calls,
    intercepted,
    forged,
    byVerdict: Object.fromEntries(byVerdict.map(({ name, count }) => [name, count])),
    byRegion: Object.fromEntries(
      byRegion.map((region) => [
        region.region === "" ? "unattributed" : region.region,
        { calls: region.calls, intercepted: region.intercepted, forged: region.forged },
      ]),
    ),
    questions,
    shadowStopped,
    fallbackShare,
  };
}

function lines(statistics: Statistics): string[] {
  const { calls, intercepted, forged, questions, shadowStopped, fallbackShare } = statistics;
  const verdicts = statistics.byVerdict.map(({ name, count }) => `${name} ${groupDigits(count)}`).join(", ");
  const rows = statistics.byRegion.map((region) => [
    region.region === "" ? "unattributed" : region.region,
    groupDigits(region.calls),
    groupDigits(region.intercepted),
    groupDigits(region.forged),
  ]);
  return [
    `calls ${groupDigits(calls)} (asked about ${groupDigits(questions)} times)`,
    `intercepted ${groupDigits(intercepted)}, forged ${groupDigits(forged)}`,
    `verdicts: ${verdicts === "" ? "none" : verdicts}`,
    `shadow would have stopped ${groupDigits(shadowStopped)}; ${(fallbackShare * 100).toFixed(1)} % without an id of their own`,
    ...(rows.length === 0 ? [] : table(["region", "calls", "intercepted", "forged"], rows)),
  ];
}
