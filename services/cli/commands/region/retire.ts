import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { retireRegion } from "#infra/deployment/region-files.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { WrongUse } from "../../failure.ts";
import { rollOut, shownSteps, takeDown, whereToLook } from "../../next-steps.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly yes?: boolean;
}

export function define(command: Command): void {
  addDeploymentOptions(command.argument("<slug>", "the region"))
    .option("--yes", "do it: the region leaves the nation")
    .addHelpText(
      "after",
      [
        "",
        "Removes the region's file and moves its keys aside (keys/retired), so that the hub no longer lists it.",
        "Nothing that runs is touched by this alone. What the region has said before stays valid.",
      ].join("\n"),
    )
    .action(run);
  examples(command, "qalqan region retire semey --yes");
}

async function run(slug: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  if (options.yes !== true) {
    throw new WrongUse({
      field: "yes",
      value: "",
      message: `${slug} would leave the nation; nothing was done`,
      remedy: "add --yes",
    });
  }
  const deployment = deploymentOf(options);
  const { keys } = retireRegion(deployment, slug);
  const next = [
    ...whereToLook(deployment),
    rollOut(capitalSite, "the hub lists it no longer: its line ends, and it cannot come back"),
    takeDown(slug, `its workloads; its data stays until somebody deletes the namespace qalqan-${slug}`),
  ];
  answer(options, { region: slug, keys, next }, () => [
    `${slug} is no region any more${keys.length === 0 ? "" : `; its keys are in ${keys.join(" and ")}`}`,
    "What it said before stays valid: its directives hold in the nation until they end or are revoked.",
    ...shownSteps(next),
  ]);
}
