import type { Command } from "commander";
import { storesFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  storesFault(command, "copied", (control, site, services) => control.snapshot(site, services));
  examples(command, "qalqan local snapshot astana/nats", "qalqan local snapshot astana/nats astana/postgres");
}
