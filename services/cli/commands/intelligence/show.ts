import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { intelligenceDocument, intelligenceLines } from "../../intelligence-view.ts";
import { examples, regionOption, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";
import { regionNamedBy } from "../../subject.ts";

export function define(command: Command): void {
  command
    .argument("<id>", "id of the piece")
    .addOption(regionOption("as another region of its audience has it", false))
    .action(withSession(run, (_: GlobalOptions, id: string) => regionNamedBy("id", id)));
  examples(command, "qalqan intelligence show astana-01K0000000000000000000000C");
}

async function run(
  session: Session,
  options: { region?: string } & GlobalOptions,
  id: string,
): Promise<void> {
  const region = options.region ?? regionNamedBy("id", id);
  const centre = await session.centre(region, first("operator", region));
  const view = await centre.call("getIntelligence", { id });
  answer(options, intelligenceDocument(view), () => intelligenceLines(view));
}
