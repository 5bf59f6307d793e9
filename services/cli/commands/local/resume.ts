import type { Command } from "commander";
import { processFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  processFault(command, "resumed", (control, site, service) => control.resume(site, service));
  examples(command, "qalqan local resume astana/screening", "qalqan local resume capital/coordination");
}
