import { join } from "node:path";
import { Deployment } from "#infra/deployment/deployment.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";

/** The project's own regions, with placeholders for release and keys: a folder that nobody has is read in vain. */
const nation = placeholderNation(Deployment.of({ deployment: join(import.meta.dirname, "nowhere") }, {}));

export const siteNames: readonly string[] = [...nation.regions.map(({ slug }) => slug), "capital"];

export async function manifestsOf(site: string): Promise<readonly Manifest[]> {
  return siteManifests(await siteOf(nation, site));
}

/** Any will do: parity shows that they are the same. */
const oneRegion = nation.regions[0]?.slug ?? "";

/** Objects of one region and of the capital, as they are rendered. */
export const stacks = { region: await manifestsOf(oneRegion), capital: await manifestsOf("capital") };
export type StackName = keyof typeof stacks;
