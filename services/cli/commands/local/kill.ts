import type { Command } from "commander";
import { processFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  processFault(command, "killed", (control, site, service) => control.kill(site, service));
  examples(command, "qalqan local kill astana/screening", "qalqan local kill capital/coordination");
}
