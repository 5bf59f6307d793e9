import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import { protectedDocument, protectedLine } from "../../protected-view.ts";
import type { Session } from "../../session.ts";

interface Options {
  from: string[];
  holder?: string;
}

export function define(command: Command): void {
  command
    .argument("<number>", "the number, in any dialled form")
    .requiredOption("--from <trunk...>", "trunks where it really originates; on every other one it is forged")
    .option("--holder <name>", "organisation that it belongs to")
    .action(withSession(run));
  examples(command, 'qalqan protect add +77272590000 --from dom-1 --holder "Sample Bank"');
}

async function run(session: Session, options: Options & GlobalOptions, number: string): Promise<void> {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const view = await coordination.call("addProtectedNumber", {
    number,
    originatesFrom: options.from.flatMap((word) => word.split(",")).filter((trunk) => trunk !== ""),
    holder: options.holder ?? "",
  });
  answer(options, protectedDocument(view), () => `protected: ${protectedLine(view)}`);
}
