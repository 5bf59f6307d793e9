import type { Command } from "commander";
import { examples } from "../options.ts";
import { defineStop } from "../set-stop.ts";

export function define(command: Command): void {
  defineStop(command, false);
  examples(command, "qalqan resume --region almaty", "qalqan resume");
}
