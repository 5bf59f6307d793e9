import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { answerBatch, answerDirective } from "../../answer-directive.ts";
import { examples, waitOption, type GlobalOptions } from "../../options.ts";
import { first, whoIs } from "../../people.ts";
import type { Session } from "../../session.ts";
import { subjectOf } from "../../subject.ts";

interface Options {
  batch?: string;
  reason: string;
  wait?: number;
}

export function define(command: Command): void {
  command
    .argument("[id]", "id of the directive")
    .option("--batch <id>", "a batch, as one")
    .requiredOption("--reason <code>", "reason code (see `directive reasons`)")
    .addOption(waitOption())
    .action(withSession(run, ({ batch }: Options, id?: string) => subjectOf(id, batch)));
  examples(
    command,
    "qalqan directive revoke astana-01K0000000000000000000000A --reason mistake --wait",
    "qalqan directive revoke --batch almaty-01K0000000000000000000000B --reason mistake --wait 10",
  );
}

async function run(session: Session, options: Options & GlobalOptions, id?: string): Promise<void> {
  const subject = subjectOf(id, options.batch);
  const { reason } = options;
  const reader = await session.centre(subject.region, first("operator", subject.region), "quiet");
  if (subject.kind === "directive") {
    const { author } = await reader.call("getDirective", { id: subject.id });
    const centre = await session.centre(
      subject.region,
      whoIs(author) ?? first("regional-prosecutor", subject.region),
    );
    await answerDirective(
      centre,
      await centre.call("revokeDirective", { id: subject.id, reason }),
      options,
      "revoked",
    );
  } else {
    const { author } = await reader.call("getBatch", { batch: subject.batch });
    const centre = await session.centre(
      subject.region,
      whoIs(author) ?? first("regional-prosecutor", subject.region),
    );
    await answerBatch(
      centre,
      await centre.call("revokeBatch", { batch: subject.batch, reason }),
      options,
      "revoked",
    );
  }
}
