import type { Command } from "commander";
import { parseTrunkMode } from "#domain/trunk.ts";
import { withSession } from "../../action.ts";
import { parseCount } from "../../durations.ts";
import { examples, regionOption, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import { regionsAsked } from "../../regions-asked.ts";
import type { Session } from "../../session.ts";
import { trunkDocument } from "../../trunk-view.ts";

interface Options {
  region?: string;
  percent?: string;
}

export function define(command: Command): void {
  command
    .argument("<trunk>", "id of the trunk")
    .argument("<mode>", "shadow (recorded only), mark (block and divert become warn) or enforce")
    .option("--percent <n>", "with enforce: share of the calls, 0 to 100 (default: 100)")
    .addOption(regionOption("only this region; without it, every region that runs", false))
    .action(
      withSession(run, ({ percent }: Options, _trunk: string, mode: string) => percentOf(percent, mode)),
    );
  examples(
    command,
    "qalqan trunk mode intl-2 mark --region astana",
    "qalqan trunk mode intl-1 enforce --percent 10   # one call in ten, in every region",
  );
}

async function run(
  session: Session,
  options: Options & GlobalOptions,
  trunk: string,
  mode: string,
): Promise<void> {
  const percent = percentOf(options.percent, mode);
  const changed: ReturnType<typeof trunkDocument>[] = [];
  for (const region of regionsAsked(session, options.region)) {
    const centre = await session.centre(region, first("carrier", region));
    changed.push(trunkDocument(region, await centre.call("setTrunkMode", { trunk, mode, percent })));
  }
  answer(options, { trunks: changed }, () =>
    changed.map(
      ({ region, trunk: name, mode: now, percent: share }) =>
        `${region}  ${name}  ${now === "enforce" ? `enforce ${share} %` : now}`,
    ),
  );
}

/** Without --percent, enforcing means all calls. */
function percentOf(text: string | undefined, mode: string): number {
  parseTrunkMode("mode", mode);
  if (text !== undefined) return parseCount("percent", text, 0, 100);
  return mode === "enforce" ? 100 : 0;
}
