import type { Command } from "commander";
import { defineLineFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineLineFault(command, "healed", (control, region) => control.heal(region));
  examples(command, "qalqan local heal astana");
}
