import type { Command } from "commander";
import { defineDecision } from "../../decide-approval.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineDecision(command, true);
  examples(
    command,
    "qalqan directive approve astana-01K0000000000000000000000A",
    "qalqan directive approve astana-01K0000000000000000000000A --region almaty   # as the second region",
    "qalqan directive approve --batch almaty-01K0000000000000000000000B --wait",
  );
}
