import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { rebuild, untilInSync } from "../../backups/rebuild.ts";
import { rebuildOnCluster, refuseLocal, tellSteps } from "../../backups/on-clusters.ts";
import { LocalSite } from "../../backups/site.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { WrongUse } from "../../failure.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { noteSegment, rebuiltDocument, shownRebuilt } from "../../backups/answers.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly from?: string;
  readonly withoutBackup?: boolean;
  readonly yes?: boolean;
}

export function define(command: Command): void {
  addDeploymentOptions(command.argument("<region>", "the region whose storage is gone"))
    .option("--from <dir>", "folder of the backups (default: that of start --backups)")
    .option("--without-backup", "there is none: begin with an empty database")
    .option("--yes", "do it: everything that the region keeps is made anew")
    .addHelpText(
      "after",
      [
        "",
        "For a region whose disks are gone. Its keys stay. All of it stops; what is still there is set aside.",
        "  PostgreSQL  from its base backup and all archived WAL (as `qalqan restore`)",
        "  streams     begin empty: its own lanes go on in a new epoch, NATIONAL and FOR come down again;",
        "              what its database has and the hub has not is sent, what it lacks is taken back from there",
        "  screening   from the region's snapshot and centre; it is ready when it has the whole table",
        "Gone for good: LOCAL (calls one by one, which never leave a region), and what was neither archived",
        "nor sent. The command ends when the capital has heard the region and finds it in sync. Repeating it",
        "is harmless.",
        "",
        "Without any backup, what left the region comes back from the hub; lost are notes of intelligence,",
        "what had the audience `region`, and the audit before now.",
        "Are the keys gone too: `npx qalqan region rotate` first.",
        "",
        "With --deployment (or QALQAN_DEPLOYMENT) the site on its cluster is meant: nothing is done, and the steps",
        "for kubectl are printed, in their order.",
      ].join("\n"),
    )
    .action(run);
  examples(
    command,
    "qalqan rebuild region astana --yes",
    "qalqan rebuild region astana --from /mnt/backups --yes",
  );
}

async function run(name: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  if (options.deployment !== undefined) {
    const deployment = deploymentOf(options);
    refuseLocal({ from: options.from, "without-backup": options.withoutBackup });
    const steps = await rebuildOnCluster(deployment, name);
    tellSteps(options, name, deployment, steps);
    return;
  }
  const site = regionOf(name, options);
  const backups = options.withoutBackup === true ? undefined : site.backups("from", options.from);
  if (options.yes !== true) {
    throw new WrongUse({
      field: "yes",
      value: "",
      message: `all storage of ${name} would be made anew; nothing was done`,
      remedy: "add --yes",
    });
  }
  const beganMs = performance.now();
  const rebuilt = await rebuild(site, backups, (segment) => noteSegment(options, segment));
  const runsMs = Math.round(performance.now() - beganMs);
  if (site.isRunning) await untilInSync(options, [name]);
  const inSyncMs = site.isRunning ? Math.round(performance.now() - beganMs) : null;
  answer(options, { site: name, ...rebuiltDocument(rebuilt), runsMs, inSyncMs }, () =>
    shownRebuilt(name, rebuilt, runsMs, inSyncMs),
  );
}

function regionOf(name: string, options: GlobalOptions): LocalSite {
  if (name !== capitalSite) return LocalSite.of(name, options);
  throw new WrongUse({
    field: "region",
    value: name,
    message: "the capital is no region",
    remedy: "npx qalqan rebuild capital",
  });
}
