import type { Command } from "commander";
import type { Control } from "#infra/local/control.ts";
import type { Deployment } from "#infra/deployment/deployment.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "./deployment-options.ts";
import { localControl } from "./local-fault.ts";
import { shownSteps, whereToLook, type NextStep } from "./next-steps.ts";
import type { GlobalOptions } from "./options.ts";
import { answer } from "./output.ts";

interface Options extends DeploymentOptions, GlobalOptions {}

/** A command that changes the key of a region's line: of the local run, or with --deployment on clusters. */
export interface KeyChangeCommand {
  /** What was done, for the answer. */
  readonly done: "revoked" | "rotated";
  readonly explained: readonly string[];
  readonly locally: (control: Control, region: string) => Promise<void>;
  /** Changes the deployment, and says what is to be run next. */
  readonly onClusters: (deployment: Deployment, region: string) => Promise<readonly NextStep[]>;
}

export function defineKeyChange(
  command: Command,
  { done, explained, locally, onClusters }: KeyChangeCommand,
): void {
  addDeploymentOptions(command.argument("<slug>", "the region"))
    .addHelpText(
      "after",
      [
        "",
        ...explained,
        "Without --deployment (or QALQAN_DEPLOYMENT) the region of the run on this machine is meant.",
      ].join("\n"),
    )
    .action(async (region: string, _given: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      if (options.deployment === undefined) {
        await locally(await localControl(options), region);
        answer(options, { region, done }, () => `${done}: the key of the line of ${region}`);
        return;
      }
      const deployment = deploymentOf(options);
      const next = [...whereToLook(deployment), ...(await onClusters(deployment, region))];
      answer(options, { region, done, next }, () => [
        `${done}: the key of the line of ${region}, in this deployment; it holds once the capital is rolled out`,
        ...shownSteps(next),
      ]);
    });
}
