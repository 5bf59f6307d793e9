import type { Command } from "commander";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { withSession } from "../../action.ts";
import {
  directiveDocument,
  directiveLines,
  missingLines,
  receiptLines,
  storyLines,
} from "../../directive-view.ts";
import { isOutage } from "../../failure.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, note } from "../../output.ts";
import { first } from "../../people.ts";
import type { Session } from "../../session.ts";
import { regionNamedBy } from "../../subject.ts";

export function define(command: Command): void {
  command
    .argument("<id>", "id of the directive")
    .action(withSession(run, (_: GlobalOptions, id: string) => regionNamedBy("id", id)));
  examples(command, "qalqan directive show astana-01K0000000000000000000000A");
}

async function run(session: Session, options: GlobalOptions, id: string): Promise<void> {
  const view = await readDirective(session, id);
  answer(options, directiveDocument(view), () => [
    ...directiveLines(view),
    ...storyLines(view),
    ...missingLines(view.missing, view.id),
    ...receiptLines(view.receipts),
  ]);
}

/** From the centre that the id names; when that is not reached, what the capital knows. */
async function readDirective(session: Session, id: string): Promise<DirectiveView> {
  const region = regionNamedBy("id", id);
  try {
    const centre = await session.centre(region, first("operator", region));
    return await centre.call("getDirective", { id });
  } catch (error) {
    if (!isOutage(error)) throw error;
    note(`the centre of ${region} is not reached: this is what the capital knows`);
    const coordination = await session.coordination(first("central-prosecutor", ""));
    return coordination.call("getDirective", { id });
  }
}
