import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import type { Deployment } from "#infra/deployment/deployment.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { rollOut, shownSteps, whereToLook, type NextStep } from "../../next-steps.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly finish?: boolean;
}

export function define(command: Command): void {
  addDeploymentOptions(command.argument("<site>", "a region, or `capital`"))
    .option("--finish", "the last step: trust the new keys alone")
    .addHelpText(
      "after",
      [
        "",
        "Makes everything anew: authority, certificates, nkeys, passwords, signing key. Until --finish the keys",
        "before are trusted as well, so that nothing has to restart at the same instant as anything else.",
        "Order of work: rotate, roll out the other end, roll out the site, rotate --finish, roll out both again.",
      ].join("\n"),
    )
    .action(run);
  examples(command, "qalqan keys rotate astana", "qalqan keys rotate astana --finish");
}

async function run(site: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const deployment = deploymentOf(options);
  const order = deployment.keyOrder(site);
  const finished = options.finish === true;
  if (finished) await deployment.keyStore.finishRotation(site);
  else await deployment.keyStore.rotate(order);
  const { fingerprint, madeAt } = deployment.publicKeys(site);
  const next = finished ? afterFinish(deployment, site) : afterRotation(deployment, site);
  answer(options, { site, state: finished ? "made" : "rotating", fingerprint, madeAt, next }, () => [
    finished
      ? `the keys of ${site} that were before open nothing any more, once this is rolled out`
      : `${site} has new keys; those before are trusted as well until --finish`,
    ...shownSteps(next),
  ]);
}

function afterRotation(deployment: Deployment, site: string): readonly NextStep[] {
  const finish = { command: `npx qalqan keys rotate ${site} --finish`, why: "when all of that is done" };
  const own = rollOut(site, "it takes its new keys");
  const others = otherEnds(deployment, site).map((end) =>
    rollOut(end, "it trusts the new keys beside the old"),
  );
  // What regions trust of the capital is bridged: its own end may go first, and they follow in their waves.
  const both = site === capitalSite ? [own, ...others] : [...others, own];
  return [...whereToLook(deployment), ...both, finish];
}

function afterFinish(deployment: Deployment, site: string): readonly NextStep[] {
  const ends = [...otherEnds(deployment, site), site];
  return [...whereToLook(deployment), ...ends.map((end) => rollOut(end, forgets(end)))];
}

const forgets = (site: string): string =>
  site === capitalSite
    ? "it forgets the keys before, and ends the lines that were opened with them"
    : "it forgets the keys before";

/** The capital is the other end of every region's line. */
function otherEnds(deployment: Deployment, site: string): readonly string[] {
  if (site !== capitalSite) return [capitalSite];
  return deployment
    .regions()
    .toSorted((left, right) => left.rolloutWave - right.rolloutWave)
    .map(({ slug }) => slug);
}
