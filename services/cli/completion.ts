import tab from "@bomb.sh/tab/commander";
import type { Command, Option } from "commander";
import { examples } from "./options.ts";
import { regionSlugs } from "./regions-folder.ts";

/** Adds `complete bash|zsh|fish`, and what the shell asks while a person types. */
export function addCompletion(program: Command): void {
  const regions = regionSlugs();
  for (const command of leaves(program)) {
    for (const option of command.options) suggestRegions(option, regions);
    for (const option of program.options) command.addOption(option);
  }
  // The adapter adds a command of the same name: ours was there for the summary in the help.
  const own = program.commands.findIndex(isComplete);
  if (own !== -1) (program.commands as Command[]).splice(own, 1);
  tab(program);
  const complete = program.commands.find(isComplete);
  if (complete !== undefined) examples(complete, "echo 'source <(qalqan complete bash)' >> ~/.bashrc");
}

function isComplete(command: Command): boolean {
  return command.name() === "complete";
}

function leaves(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length === 0 ? [child] : leaves(child)));
}

function suggestRegions(option: Option, regions: string[]): void {
  if (option.long === "--region") option.argChoices = regions;
}
