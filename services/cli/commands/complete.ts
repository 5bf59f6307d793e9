import type { Command } from "commander";

/** Stands for the command in the list of all; when it is called, completion.ts puts the real one in its place. */
export function define(command: Command): void {
  command.argument("<shell>", "bash, zsh or fish");
}
