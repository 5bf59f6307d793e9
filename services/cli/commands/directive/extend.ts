import type { Command } from "commander";
import { withSession } from "../../action.ts";
import { answerDirective } from "../../answer-directive.ts";
import { parseEnd } from "../../durations.ts";
import { examples, waitOption, type GlobalOptions } from "../../options.ts";
import { first, whoIs } from "../../people.ts";
import type { Session } from "../../session.ts";
import { regionNamedBy } from "../../subject.ts";

interface Options {
  expires: string;
  wait?: number;
}

export function define(command: Command): void {
  command
    .argument("<id>", "id of the directive")
    .requiredOption("--expires <end>", "24h or 7d from now, or a time (ISO 8601)")
    .addOption(waitOption())
    .action(withSession(run, check));
  examples(command, "qalqan directive extend astana-01K0000000000000000000000A --expires 7d --wait");
}

async function run(session: Session, options: Options & GlobalOptions, id: string): Promise<void> {
  const region = regionNamedBy("id", id);
  const expiresAtMs = parseEnd("expires", options.expires, Date.now());
  const reader = await session.centre(region, first("operator", region), "quiet");
  const before = await reader.call("getDirective", { id });
  const centre = await session.centre(region, whoIs(before.author) ?? first("operator", region));
  await answerDirective(
    centre,
    await centre.call("extendDirective", { id, expiresAtMs }),
    options,
    "extended",
  );
}

function check({ expires }: Options, id: string): void {
  regionNamedBy("id", id);
  parseEnd("expires", expires, Date.now());
}
