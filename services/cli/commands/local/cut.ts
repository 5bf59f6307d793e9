import type { Command } from "commander";
import { defineLineFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineLineFault(command, "cut", (control, region) => control.cut(region));
  examples(command, "qalqan local cut astana");
}
