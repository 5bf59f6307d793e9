import type { Command } from "commander";
import { defineProcessFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineProcessFault(command, "paused", (control, site, service) => control.pause(site, service));
  examples(command, "qalqan local pause astana/screening", "qalqan local pause capital/coordination");
}
