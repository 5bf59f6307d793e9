import type { Command } from "commander";
import { lineFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  lineFault(command, "half-open", (control, region) => control.halfOpen(region));
  examples(command, "qalqan local half-open astana");
}
