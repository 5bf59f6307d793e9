import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { identityFileVariable } from "#infra/keys/key-access.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, note } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly out: string;
}

export function define(command: Command): void {
  addDeploymentOptions(command)
    .requiredOption("--out <file>", "new file for the identity; you alone will be able to read it")
    .addHelpText(
      "after",
      [
        "",
        "An identity (age, X25519) opens the keys of the deployment. Its public part joins those in",
        "recipients.txt; for keys that are there already, somebody who can open them runs `keys make --all`.",
      ].join("\n"),
    )
    .action(run);
  examples(
    command,
    "qalqan keys identity --out ~/.config/qalqan/identity.txt",
    "export QALQAN_KEYS_IDENTITY_FILE=~/.config/qalqan/identity.txt",
  );
}

async function run(_given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const { access, folder } = deploymentOf(options);
  const file = resolve(options.out);
  const recipient = await access.makeIdentity(file);
  if (!relative(folder, file).startsWith("..")) {
    note(`${file} lies beside the keys that it opens: whoever copies the folder has both; move it elsewhere`);
  }
  answer(options, { identity: file, recipient, recipientsFile: access.recipientsFile }, () => [
    `identity   ${file}`,
    `recipient  ${recipient}`,
    `           added to ${access.recipientsFile}`,
    "Keep a copy of the identity elsewhere: without one the keys cannot be opened again.",
    `next: export ${identityFileVariable}=${file}`,
  ]);
}
