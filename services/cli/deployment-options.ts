import { Option, type Command } from "commander";
import { defaultDeploymentFolder, Deployment } from "#infra/deployment/deployment.ts";

/** What every command about clusters understands. */
export interface DeploymentOptions {
  readonly deployment?: string;
  readonly regionsFolder?: string;
}

export function addDeploymentOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--deployment <dir>",
        `folder with release, keys and settings, outside git (default: ${defaultDeploymentFolder})`,
      ).env("QALQAN_DEPLOYMENT"),
    )
    .addOption(
      new Option(
        "--regions-folder <dir>",
        "folder with one file for each region (default: the project's own)",
      ).env("QALQAN_REGIONS"),
    );
}

/** The deployment that the options, or the environment, name; nothing of it is read yet. */
export function deploymentOf({ deployment, regionsFolder }: DeploymentOptions): Deployment {
  return Deployment.of({ deployment, regions: regionsFolder });
}
