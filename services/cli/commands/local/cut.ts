import type { Command } from "commander";
import { lineFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  lineFault(command, "cut", (control, region) => control.cut(region));
  examples(command, "qalqan local cut astana");
}
