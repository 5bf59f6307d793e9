import type { Command } from "commander";
import { join } from "node:path";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { renderedFiles, writeRendered } from "#infra/kubernetes/rendered-files.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { deployedNation, placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../deployment-options.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, table } from "../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly region: string;
  readonly out: string;
  readonly placeholders?: boolean;
  readonly withSecrets?: boolean;
}

export function define(command: Command): void {
  addDeploymentOptions(command)
    .requiredOption("--region <slug>", "a region, `capital`, or `all`")
    .requiredOption("--out <dir>", "where the files go: DIR/<slug>/*.yaml")
    .option("--placeholders", "without a release and keys: for looking at, not for deploying")
    .option("--with-secrets", "write the Secrets as well (30-secrets.yaml, readable by you alone)")
    .action((_given: unknown, self: Command) => run(self.optsWithGlobals<Options>()));
  examples(
    command,
    "qalqan render --region all --out rendered --placeholders",
    "qalqan render --region astana --out rendered --with-secrets && kubectl --context qalqan-astana apply --server-side -f rendered/astana",
  );
}

async function run(options: Options): Promise<void> {
  const deployment = deploymentOf(options);
  const nation = options.placeholders === true ? placeholderNation(deployment) : deployedNation(deployment);
  const slugs =
    options.region === "all" ? [...nation.regions.map(({ slug }) => slug), capitalSite] : [options.region];
  // Everything is rendered before anything is written.
  const rendered = [];
  for (const slug of slugs) {
    const manifests = siteManifests(await siteOf(nation, slug));
    const files = renderedFiles(manifests).filter(
      ({ isSecret }) => !isSecret || options.withSecrets === true,
    );
    rendered.push({ slug, folder: join(options.out, slug), objects: manifests.length, files });
  }
  for (const { folder, files } of rendered) writeRendered(folder, files);
  const sites = rendered.map(({ slug, folder, objects, files }) => ({
    site: slug,
    folder,
    files: files.length,
    objects,
  }));
  answer(options, { sites, withSecrets: options.withSecrets === true }, () => [
    ...table(
      ["site", "folder", "files", "objects"],
      sites.map(({ site, folder, files, objects }) => [site, folder, String(files), String(objects)]),
    ),
    ...(options.withSecrets === true
      ? []
      : ["Secrets were left out; --with-secrets writes them, readable by you alone."]),
  ]);
}
