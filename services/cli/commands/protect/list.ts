import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";
import { first } from "../../people.ts";
import { protectedDocument } from "../../protected-view.ts";
import type { Session } from "../../session.ts";

export function define(command: Command): void {
  command.action(withSession(run));
  examples(command, "qalqan protect list --json");
}

async function run(session: Session, options: GlobalOptions): Promise<void> {
  const coordination = await session.coordination(first("central-prosecutor", ""));
  const { numbers } = await coordination.call("listProtectedNumbers", {});
  answer(options, numbers.map(protectedDocument), () =>
    numbers.length === 0
      ? "no protected numbers"
      : table(
          ["number", "originates from", "holder"],
          numbers.map(({ number, originatesFrom, holder }) => [number, originatesFrom.join(", "), holder]),
        ),
  );
}
