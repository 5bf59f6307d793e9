import type { Command } from "commander";
import { examples } from "../options.ts";
import { defineStop } from "../set-stop.ts";

export function define(command: Command): void {
  defineStop(command, true);
  examples(
    command,
    "qalqan stop --region almaty   # as its prosecutor",
    "qalqan stop                   # the nation, as central prosecutor",
  );
}
