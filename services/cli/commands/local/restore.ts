import type { Command } from "commander";
import { storesFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  storesFault(command, "put back", (control, site, services) => control.restore(site, services));
  examples(command, "qalqan local restore astana/nats", "qalqan local restore astana/nats astana/postgres");
}
