import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { first } from "../../people.ts";
import { protectedDocument } from "../../protected-view.ts";
import type { Session } from "../../session.ts";

export function define(command: Command): void {
  command.argument("<number>", "the number, in any dialled form").action(withSession(run));
  examples(command, "qalqan protect remove +77272590000");
}

async function run(session: Session, options: GlobalOptions, number: string): Promise<void> {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const view = await coordination.call("removeProtectedNumber", { number });
  answer(options, protectedDocument(view), () => `no longer protected: ${view.number}`);
}
