import type { Command } from "commander";
import { compareStacks, unlikeRendered, type RegionParity } from "#infra/parity/parity.ts";
import { stackHash } from "#infra/parity/stack-hash.ts";
import { liveManifests } from "#infra/parity/live.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, regionSite } from "#infra/kubernetes/sites.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import type { Site } from "#infra/kubernetes/site.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../deployment-options.ts";
import { CommandFailed } from "../failure.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, table } from "../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly live?: boolean;
}

interface Rendered {
  readonly site: Site;
  readonly manifests: readonly Manifest[];
}

export function define(command: Command): void {
  addDeploymentOptions(command)
    .option("--live", "compare what runs in the regions' clusters with what the release says")
    .action((_given: unknown, self: Command) => run(self.optsWithGlobals<Options>()));
  command.addHelpText(
    "after",
    [
      "",
      "Renders every region, replaces what may differ (slug, names, place, amounts by size,",
      "endpoints, key material: a closed list in infra/parity/differences.ts), and shows one",
      "hash for each. Ends with code 1 when a region is not as the others are.",
    ].join("\n"),
  );
  examples(command, "qalqan parity", "qalqan parity --live --json");
}

async function run(options: Options): Promise<void> {
  const deployment = deploymentOf(options);
  // What runs has the release's images; keys are compared by their shape alone, so nobody needs to open them.
  const release = options.live === true ? deployment.release() : undefined;
  const nation = placeholderNation(deployment, release);
  const rendered: Rendered[] = [];
  for (const { slug } of nation.regions) {
    const site = await regionSite(nation, slug);
    rendered.push({ site, manifests: siteManifests(site) });
  }
  if (rendered.length === 0) throw noRegions();
  const live = options.live === true;
  const regions = live ? await liveParity(rendered) : compareStacks(rendered);
  answer(options, { regions }, () => lines(regions, live));
  if (regions.some(({ unlike }) => unlike !== undefined)) process.exitCode = 1;
}

/** Each region as it runs, beside its own rendering: with everything that is its own, but for its keys. */
function liveParity(rendered: readonly Rendered[]): Promise<readonly RegionParity[]> {
  return Promise.all(
    rendered.map(async ({ site, manifests }) => {
      const running = await liveManifests(manifests, site);
      const unlike = unlikeRendered(site, running, manifests);
      const judged = { region: site.stack.site, hash: stackHash(running, site) };
      return unlike === undefined ? judged : { ...judged, unlike };
    }),
  );
}

const noRegions = (): CommandFailed =>
  new CommandFailed({
    code: "no-regions",
    field: "regions-folder",
    value: "",
    message: "there are no regions to compare",
    remedy: "add one: npx qalqan region add --help",
  });

const shownHashDigits = 16;

function lines(regions: readonly RegionParity[], live: boolean): string[] {
  const hashes = new Set(regions.map(({ hash }) => hash));
  const rows = regions.map(({ region, hash, unlike }) => [
    region,
    hash.slice(0, shownHashDigits),
    unlike === undefined
      ? "same"
      : `${unlike.object} ${unlike.field}: ${unlike.value}, not ${unlike.expected}`,
  ]);
  const what = live ? "running stacks" : "regions";
  const count = hashes.size === 1 ? `one hash: they are the same` : `${hashes.size} hashes: they differ`;
  return [...table(["region", "hash", ""], rows), `${regions.length} ${what}, ${count}`];
}
