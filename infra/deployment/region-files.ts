import { linkSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import type { z } from "zod";
import {
  parseRegions,
  regionFiles,
  RegionInvalid,
  type Region,
  type RegionFile,
  type regionSchema,
} from "../blueprint/regions.ts";
import { draftOf, syncFolder } from "../keys/durable-file.ts";
import type { PublicKeys } from "../keys/public-keys.ts";
import { Problem } from "../problem.ts";
import { clusterVersion } from "./cluster-answers.ts";
import { regionKeyOrder, type Deployment } from "./deployment.ts";
import { addKeyChange } from "./key-changes.ts";

/** A region as its file will say it; what is left out has its default. */
export type RegionDocument = z.input<typeof regionSchema>;

export interface AddedRegion {
  readonly region: Region;
  readonly file: string;
  readonly keys: PublicKeys;
  /** Version of the cluster's API server. */
  readonly clusterVersion: string;
}

const fileMode = 0o644;

/**
 * Adds a region: its file and its keys, or nothing at all. Everything is looked
 * at before anything is written, the cluster too.
 *
 * @throws RegionInvalid; Problem of the cluster (`clusterVersion`), of recipients, `keys-exist`; ToolMissing
 */
export async function addRegion(deployment: Deployment, document: RegionDocument): Promise<AddedRegion> {
  const region = checkedRegion(deployment, document);
  const order = regionKeyOrder(region);
  await deployment.keyStore.requireNone(region.slug);
  const version = await clusterVersion(region.cluster.context);
  const file = join(deployment.regionsFolder, fileOf(region.slug));
  writeNew(file, contentOf(document));
  try {
    await deployment.keyStore.make(order);
  } catch (error) {
    rmSync(file);
    throw error;
  }
  return { region, file, keys: deployment.publicKeys(region.slug), clusterVersion: version };
}

/** The region as it would be among the others. */
function checkedRegion(deployment: Deployment, document: RegionDocument): Region {
  const name = fileOf(document.slug);
  // All that is there must be sound by itself: a fault of another file is not this region's.
  deployment.regions();
  const others = regionFiles(deployment.regionsFolder);
  if (others.some((other) => other.name === name)) {
    throw new RegionInvalid(name, "slug", document.slug, "there is such a region already; give another slug");
  }
  const files: readonly RegionFile[] = [...others, { name, content: contentOf(document) }];
  const region = parseRegions(files).at(-1);
  if (region === undefined) throw new Error(`${name} was not read`);
  return region;
}

const fileOf = (slug: string): string => `${slug}.yaml`;

function contentOf(document: RegionDocument): string {
  return `# yaml-language-server: $schema=region.schema.json\n${stringify(document, { lineWidth: 0 })}`;
}

/** Never over a file that somebody has written meanwhile. */
function writeNew(file: string, content: string): void {
  try {
    using draft = draftOf(file, content, fileMode);
    linkSync(draft.path, file);
    syncFolder(dirname(file));
  } catch (error) {
    throw new Problem({
      code: "region-unwritable",
      field: "regions-folder",
      value: file,
      message: `the region's file cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "nothing was changed; give a folder that you may write, and a region that is not there yet",
    });
  }
}

export interface RetiredRegion {
  readonly region: Region;
  /** Where its keys are now. */
  readonly keys: readonly string[];
}

/**
 * Takes a region out of the nation: removes its file, and moves its keys aside.
 *
 * @throws RegionInvalid; Problem `unknown-region`, `region-needed`
 */
export function retireRegion(deployment: Deployment, slug: string): RetiredRegion {
  const region = knownRegion(deployment, slug);
  const others = regionFiles(deployment.regionsFolder).filter(({ name }) => name !== fileOf(slug));
  requireSound(others, slug);
  const { files, undo } = deployment.keyStore.retire(slug);
  try {
    rmSync(join(deployment.regionsFolder, fileOf(slug)));
    syncFolder(deployment.regionsFolder);
  } catch (error) {
    undo();
    throw error;
  }
  return { region, keys: files };
}

/**
 * Revokes the key of a region's line, in the deployment: the hub names it no more.
 *
 * @returns since when (milliseconds since 1970)
 * @throws RegionInvalid; Problem `unknown-region`, `key-changes-invalid`
 */
export function revokeRegion(deployment: Deployment, slug: string): number {
  knownRegion(deployment, slug);
  return addKeyChange(deployment.folder, slug, "revoked", Date.now());
}

/**
 * Makes all keys of a region anew, and trusts the new ones alone.
 *
 * @throws RegionInvalid; Problem `unknown-region`, `key-changes-invalid`; as `KeyStore.renew`
 */
export async function renewRegion(deployment: Deployment, slug: string): Promise<number> {
  await deployment.keyStore.renew(regionKeyOrder(knownRegion(deployment, slug)));
  return addKeyChange(deployment.folder, slug, "renewed", Date.now());
}

function knownRegion(deployment: Deployment, slug: string): Region {
  const regions = deployment.regions();
  const region = regions.find((each) => each.slug === slug);
  if (region !== undefined) return region;
  throw new Problem({
    code: "unknown-region",
    field: "region",
    value: slug,
    message: `there is no region ${slug} in ${deployment.regionsFolder}`,
    remedy: `one of: ${regions.map((each) => each.slug).join(", ")}`,
  });
}

function requireSound(others: readonly RegionFile[], slug: string): void {
  try {
    parseRegions(others);
  } catch (error) {
    if (!(error instanceof RegionInvalid)) throw error;
    throw new Problem({
      code: "region-needed",
      field: error.field,
      value: slug,
      message: `without ${slug} the others do not fit together: ${error.message}`,
      remedy: "change the file that is named first: another region must take the place in the rollout",
    });
  }
}
