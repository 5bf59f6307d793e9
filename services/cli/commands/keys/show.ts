import type { Command } from "commander";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { keysDocument, keysLines } from "../../keys-view.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

export function define(command: Command): void {
  addDeploymentOptions(command.argument("<site>", "a region, or `capital`")).action(run);
  command.addHelpText("after", "\nPublic parts alone: no identity is needed, and no secret is shown.");
  examples(command, "qalqan keys show astana", "qalqan keys show capital --json");
}

async function run(site: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<DeploymentOptions & GlobalOptions>();
  const keys = deploymentOf(options).publicKeys(site);
  answer(options, keysDocument(keys), () => keysLines(keys));
}
