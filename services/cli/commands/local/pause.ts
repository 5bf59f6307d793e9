import type { Command } from "commander";
import { processFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  processFault(command, "paused", (control, site, service) => control.pause(site, service));
  examples(command, "qalqan local pause astana/screening", "qalqan local pause capital/coordination");
}
