import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { examples, regionOption, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";
import { first } from "../../people.ts";
import { regionsAsked } from "../../regions-asked.ts";
import type { Session } from "../../session.ts";
import { trunkDocument } from "../../trunk-view.ts";

export function define(command: Command): void {
  command
    .addOption(regionOption("only this region; without it, every region that runs", false))
    .action(withSession(run));
  examples(command, "qalqan trunk list", "qalqan trunk list --region almaty --json");
}

async function run(session: Session, options: { region?: string } & GlobalOptions): Promise<void> {
  const lists = await Promise.all(
    regionsAsked(session, options.region).map(async (region) => {
      const centre = await session.centre(region, first("operator", region));
      return { region, ...(await centre.call("listTrunks", {})) };
    }),
  );
  const document = {
    trunks: lists.flatMap(({ region, trunks }) => trunks.map((trunk) => trunkDocument(region, trunk))),
    nationStopped: lists.some(({ nationStopped }) => nationStopped),
    stoppedRegions: lists.filter(({ regionStopped }) => regionStopped).map(({ region }) => region),
  };
  answer(options, document, () => [
    ...table(
      ["region", "trunk", "direction", "operator", "mode", "stopped"],
      document.trunks.map(({ region, trunk, direction, operator, mode, percent, stopped }) => [
        region,
        trunk,
        direction,
        operator,
        mode === "enforce" ? `enforce ${percent} %` : mode,
        stopped ? "yes" : "no",
      ]),
    ),
    ...(document.nationStopped ? ["the nation is stopped: `qalqan resume`"] : []),
    ...document.stoppedRegions.map((region) => `${region} is stopped: \`qalqan resume --region ${region}\``),
  ]);
}
