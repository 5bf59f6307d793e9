import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { intelligenceDocument } from "../../intelligence-view.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first, whoIs } from "../../people.ts";
import type { Session } from "../../session.ts";
import { regionNamedBy } from "../../subject.ts";

export function define(command: Command): void {
  command
    .argument("<id>", "id of the piece")
    .action(withSession(run, (_: GlobalOptions, id: string) => regionNamedBy("id", id)));
  examples(command, "qalqan intelligence withdraw astana-01K0000000000000000000000C");
}

async function run(session: Session, options: GlobalOptions, id: string): Promise<void> {
  const region = regionNamedBy("id", id);
  const reader = await session.centre(region, first("operator", region), "quiet");
  const { intelligence } = await reader.call("getIntelligence", { id });
  const author = whoIs(intelligence?.author ?? "") ?? first("operator", region);
  const centre = await session.centre(region, author);
  const view = await centre.call("withdrawIntelligence", { id });
  answer(options, intelligenceDocument(view), () => `withdrawn everywhere: ${id}`);
}
