import type { Command } from "commander";
import { processFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  processFault(command, "filled the disk", (control, site, service) => control.fill(site, service));
  examples(command, "qalqan local fill astana/nats", "qalqan local heal astana");
}
