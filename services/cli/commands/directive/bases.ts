import type { Command } from "commander";
import { defineCatalogue } from "../../catalogue-list.ts";
import { examples } from "../../options.ts";

export function define(command: Command): void {
  defineCatalogue(command, "listBases");
  examples(command, "qalqan directive bases");
}
