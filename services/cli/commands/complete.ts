import type { Command } from "commander";

/** Only for the help: when it is called, completion.ts takes its place. */
export function define(command: Command): void {
  command
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText("after", "\nExample:\n  echo 'source <(qalqan complete bash)' >> ~/.bashrc");
}
