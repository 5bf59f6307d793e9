import type { Command } from "commander";
import { atRest } from "../backups/at-rest.ts";
import { documentOf, noteSegment, shownRestored } from "../backups/answers.ts";
import { restoreDatabase, type Wanted } from "../backups/restore-database.ts";
import { refuseLocal, restoreOnCluster, tellSteps } from "../backups/on-clusters.ts";
import { LocalSite } from "../backups/site.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../deployment-options.ts";
import { parseCount, parseSince } from "../durations.ts";
import { WrongUse } from "../failure.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer } from "../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly from?: string;
  readonly until?: string;
  readonly timeline?: string;
  readonly yes?: boolean;
}

const timelineMax = 0x7f_ff_ff_ff;

export function define(command: Command): void {
  addDeploymentOptions(command.argument("<site>", "capital, or a region"))
    .option("--from <dir>", "folder of the backups (default: that of start --backups)")
    .option("--until <time>", "the moment to go back to: 10m ago, or a time (default: all that was archived)")
    .option("--timeline <n>", "which history, after an earlier restore (default: the latest)")
    .option("--yes", "do it: the database is replaced; what is there now is set aside")
    .addHelpText(
      "after",
      [
        "",
        "Puts the PostgreSQL of a site back: the newest base backup that is old enough, and all archived WAL",
        "after it. The services that need it stop meanwhile and go on by themselves; screening never stops.",
        "It is recovered beside the place of the present one, which is replaced only when that has succeeded.",
        "",
        "What was written after that moment and has left the region is taken back from the streams: a region's",
        "centre reads its own events again, the capital those of NATIONAL. Lost at worst is what was neither",
        "archived nor in a stream: notes of intelligence, and the audit lines of the last five minutes.",
        "",
        "With --deployment (or QALQAN_DEPLOYMENT) the site on its cluster is meant: nothing is done, and the steps",
        "for kubectl are printed, in their order.",
      ].join("\n"),
    )
    .action(run);
  examples(
    command,
    "qalqan restore astana --from /mnt/backups --yes",
    "qalqan restore capital --until 15m --yes",
    "qalqan restore capital --until 2026-12-31T18:00:00+05:00 --yes",
    "qalqan restore astana --until 15m --deployment deployment",
  );
}

async function run(name: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  if (options.deployment !== undefined) {
    const deployment = deploymentOf(options);
    refuseLocal({ from: options.from });
    const steps = await restoreOnCluster(deployment, name, wantedOf(options));
    tellSteps(options, name, deployment, steps);
    return;
  }
  const site = LocalSite.of(name, options);
  const backups = site.backups("from", options.from);
  const wanted = wantedOf(options);
  if (options.yes !== true) {
    throw new WrongUse({
      field: "yes",
      value: "",
      message: `the database of ${name} would be replaced; nothing was done`,
      remedy: "add --yes",
    });
  }
  const beganMs = performance.now();
  const restored = await atRest(site, [site.postgres.workload.name], () =>
    restoreDatabase(site, backups, wanted, [], (segment) => noteSegment(options, segment)),
  );
  const milliseconds = Math.round(performance.now() - beganMs);
  answer(options, { site: name, ...documentOf(restored), milliseconds }, () => [
    ...shownRestored(name, restored),
    `${site.isRunning ? "running again" : "done; it goes on at the next start"} after ${milliseconds} ms`,
  ]);
}

function wantedOf({ until, timeline }: Options): Wanted {
  return {
    until: until === undefined ? undefined : new Date(parseSince("until", until, Date.now())),
    timeline: timeline === undefined ? undefined : parseCount("timeline", timeline, 1, timelineMax),
  };
}
