import type { Command } from "commander";
import { defineDecision } from "../../decide-approval.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineDecision(command, false);
  examples(
    command,
    "qalqan directive reject astana-01K0000000000000000000000A",
    "qalqan directive reject --batch almaty-01K0000000000000000000000B",
  );
}
