import { readdirSync } from "node:fs";
import { join } from "node:path";
import tab from "@bomb.sh/tab/commander";
import type { Command, Option } from "commander";

/** Adds `complete bash|zsh|fish`, and what the shell asks while a person types. */
export function addCompletion(program: Command): void {
  const regions = regionSlugs();
  for (const command of leaves(program)) {
    for (const option of command.options) suggestRegions(option, regions);
    for (const option of program.options) command.addOption(option);
  }
  // The adapter adds a command of its own name: ours was there for the help alone.
  const own = program.commands.findIndex((command) => command.name() === "complete");
  if (own !== -1) (program.commands as Command[]).splice(own, 1);
  tab(program);
}

function leaves(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length === 0 ? [child] : leaves(child)));
}

function suggestRegions(option: Option, regions: string[]): void {
  if (option.long === "--region") option.argChoices = regions;
}

/** Names of the files alone: completing must not read twenty of them. */
function regionSlugs(): string[] {
  const folder = join(import.meta.dirname, "..", "..", "regions");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}
