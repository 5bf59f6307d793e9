import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { noteSegment, rebuiltDocument, shownRebuilt } from "../../backups/answers.ts";
import { fillHub, type Filled } from "../../backups/fill-hub.ts";
import { rebuild, untilInSync } from "../../backups/rebuild.ts";
import { rebuildOnCluster, refuseLocal, tellSteps } from "../../backups/on-clusters.ts";
import { LocalSite } from "../../backups/site.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { WrongUse } from "../../failure.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly from?: string;
  readonly yes?: boolean;
}

export function define(command: Command): void {
  addDeploymentOptions(command)
    .option("--from <dir>", "folder of the backups (default: that of start --backups)")
    .option("--yes", "do it: everything that the capital keeps is made anew")
    .addHelpText(
      "after",
      [
        "",
        "For a capital whose disks are gone. Its keys stay. Regions go on screening meanwhile.",
        "  PostgreSQL    from its base backup and all archived WAL (as `qalqan restore`)",
        "  NATIONAL, FOR from the log in PostgreSQL, byte for byte; what it lacks of their ends, from the",
        "                regions that have it",
        "  UP_, UPU_     from the regions, which feed again what they still hold. What they have trimmed does",
        "                not come back into them: it was applied, and stays in the archive as evidence",
        "The command ends when the capital finds every region in sync. Repeating it is harmless.",
        "",
        "With --deployment (or QALQAN_DEPLOYMENT) the site on its cluster is meant: nothing is done, and the steps",
        "for kubectl are printed, in their order.",
        "There nobody takes from the regions what the log lacks of the ends of NATIONAL and FOR: regions that",
        "have more wait, and the capital's alarm says so.",
      ].join("\n"),
    )
    .action(run);
  examples(command, "qalqan rebuild capital --yes", "qalqan rebuild capital --from /mnt/backups --yes");
}

async function run(_given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  if (options.deployment !== undefined) {
    refuseLocal({ from: options.from });
    const deployment = deploymentOf(options);
    const steps = await rebuildOnCluster(deployment, capitalSite);
    tellSteps(options, capitalSite, deployment, steps);
    return;
  }
  const site = LocalSite.of(capitalSite, options);
  const backups = site.backups("from", options.from);
  if (options.yes !== true) {
    throw new WrongUse({
      field: "yes",
      value: "",
      message: "all storage of the capital would be made anew; nothing was done",
      remedy: "add --yes",
    });
  }
  const beganMs = performance.now();
  const filled: Filled[] = [];
  const rebuilt = await rebuild(
    site,
    backups,
    (segment) => noteSegment(options, segment),
    async () => void filled.push(...(await fillHub(site))),
  );
  const runsMs = Math.round(performance.now() - beganMs);
  if (site.isRunning) await untilInSync(options, site.run?.regions ?? []);
  const inSyncMs = site.isRunning ? Math.round(performance.now() - beganMs) : null;
  answer(options, { site: capitalSite, ...rebuiltDocument(rebuilt), filled, runsMs, inSyncMs }, () => [
    ...filled.map(
      ({ stream, region, first, last }) => `${stream}: messages ${first} to ${last} from ${region}`,
    ),
    ...shownRebuilt(capitalSite, rebuilt, runsMs, inSyncMs),
  ]);
}
