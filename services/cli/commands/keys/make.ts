import type { Command } from "commander";
import { capitalSite } from "#infra/blueprint/stack.ts";
import type { Deployment } from "#infra/deployment/deployment.ts";
import type { Made } from "#infra/keys/key-store.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { WrongUse } from "../../failure.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";
import { progressBar } from "../../progress-bar.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly all?: boolean;
}

const said: Readonly<Record<Made, string>> = {
  made: "made",
  completed: "brought up to date",
  "encrypted-again": "encrypted again for today's recipients",
  kept: "there already",
};

export function define(command: Command): void {
  addDeploymentOptions(command.argument("[site]", "a region, or `capital`"))
    .option("--all", "the capital and every region")
    .addHelpText(
      "after",
      [
        "",
        "Keys that are there are kept: only what is missing, lacks a host name or is about to end is made.",
        "Run it again after a change of recipients.txt, and whenever a command says so.",
      ].join("\n"),
    )
    .action(run);
  examples(command, "qalqan keys make --all", "qalqan keys make capital");
}

async function run(site: string | undefined, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const deployment = deploymentOf(options);
  const sites = sitesOf(site, options, deployment);
  const orders = sites.map((each) => deployment.keyOrder(each));
  // All are looked at before the first is written.
  for (const each of sites) await deployment.keyStore.requireSound(each);
  const bar = await progressBar("making keys", sites.length, options.json === true);
  const results: { site: string; result: Made; fingerprint: string }[] = [];
  try {
    for (const order of orders) {
      const result = await deployment.keyStore.make(order);
      const { fingerprint } = deployment.publicKeys(order.stack.site);
      results.push({ site: order.stack.site, result, fingerprint });
      bar.update(results.length);
    }
  } finally {
    bar.stop();
  }
  answer(options, { sites: results }, () =>
    table(
      ["site", "keys", "fingerprint"],
      results.map(({ site: name, result, fingerprint }) => [name, said[result], fingerprint.slice(0, shown)]),
    ),
  );
}

/** A fingerprint is compared by eye: its first digits are enough. */
const shown = 16;

function sitesOf(site: string | undefined, { all }: Options, deployment: Deployment): readonly string[] {
  if (site !== undefined && all !== true) return [site];
  if (site === undefined && all === true)
    return [capitalSite, ...deployment.regions().map(({ slug }) => slug)];
  throw new WrongUse({
    field: "site",
    value: site ?? "",
    message: "either a site or --all is asked for",
    remedy: "give a region, `capital`, or --all",
  });
}
