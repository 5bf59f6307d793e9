import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { clusterOf, clusterSchema, text } from "./cluster.ts";
import { readYaml } from "./document.ts";

const slugPattern = /^[a-z]+(-[a-z]+)*$/;
const slugMax = 40;
const inKazakhstan = {
  latitude: "must be within Kazakhstan: 40 to 56",
  longitude: "must be within Kazakhstan: 46 to 88",
};

export const sizeClasses = ["small", "medium", "large"] as const;
export const sizeClass = z.enum(sizeClasses, "must be small, medium or large");
export type SizeClass = z.output<typeof sizeClass>;

/**
 * One region, as `regions/<slug>.yaml` says; `regions/region.schema.json` tells
 * editors the same. Nothing in it can change what a stack consists of.
 */
export const regionSchema = z
  .strictObject({
    slug: z
      .string()
      .max(slugMax, `must have at most ${slugMax} characters`)
      .regex(slugPattern, "must be lower-case words joined by hyphens, for example west-kazakhstan")
      .refine((slug) => slug !== "capital", "must not be `capital`, which names the central stack"),
    iso: z.string().regex(/^KZ-\d{2}$/, "must be a code of ISO 3166-2:KZ, for example KZ-71"),
    names: z.strictObject({ kk: text, ru: text, en: text }),
    /** The city where the centre is. */
    centre: z.strictObject({ kk: text, ru: text }),
    /** Of the centre, in degrees (WGS 84). */
    coordinates: z.strictObject({
      latitude: z.number().min(40, inKazakhstan.latitude).max(56, inKazakhstan.latitude),
      longitude: z.number().min(46, inKazakhstan.longitude).max(88, inKazakhstan.longitude),
    }),
    /** Fixed-line codes without the country code. */
    areaCodes: z.array(z.string().regex(/^7\d{2,5}$/, "must be digits in quotes, beginning with 7")).min(1),
    sizeClass,
    /** Astana is 1; a wave begins when the one before it has baked. */
    rolloutWave: z.int().min(1, "must be a wave: 1 to 20").max(20, "must be a wave: 1 to 20"),
    /** Where the stack runs. */
    cluster: clusterSchema,
  })
  .transform((region) => ({ ...region, cluster: clusterOf(region.slug, region.cluster) }));

export type Region = Readonly<z.output<typeof regionSchema>>;

/** A region's file cannot be used; the message names file, field, value and remedy. */
export class RegionInvalid extends Error {
  override readonly name = "RegionInvalid";
  readonly code = "region-invalid";
  readonly file: string;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(file: string, field: string, value: string, remedy: string) {
    super(`${file}: ${field === "" ? "the file" : field} is ${value}: ${remedy}`);
    this.file = file;
    this.field = field;
    this.value = value;
    this.remedy = remedy;
  }
}

/** The folder of the project's own twenty regions. */
export const regionsFolder = join(import.meta.dirname, "..", "..", "regions");

/** A region's file: its name, and what is in it. */
export interface RegionFile {
  readonly name: string;
  readonly content: string;
}

/**
 * Reads every region, in the order of the slugs.
 *
 * @throws RegionInvalid at the first file that is malformed, repeats another, or is of a wave that does not exist
 */
export function loadRegions(folder: string = regionsFolder): readonly Region[] {
  return parseRegions(regionFiles(folder));
}

/**
 * The files of the regions in a folder, in the order of their names.
 *
 * @throws RegionInvalid for a name by which a region would silently be left out
 */
export function regionFiles(folder: string): readonly RegionFile[] {
  const names = readdirSync(folder).sort();
  const other = names.find((name) => name.endsWith(".yml"));
  if (other !== undefined) {
    throw new RegionInvalid(other, "", "called .yml", "rename it to .yaml, by which regions are known");
  }
  return names
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => ({ name, content: readFileSync(join(folder, name), "utf8") }));
}

/**
 * The regions of the nation, each by itself and all together.
 *
 * @throws RegionInvalid as loadRegions
 */
export function parseRegions(files: readonly RegionFile[]): readonly Region[] {
  const regions = files.map(({ name, content }) => ({
    file: name,
    region: readYaml(
      content,
      regionSchema,
      ({ field, value, remedy }) => new RegionInvalid(name, field, value, remedy),
    ),
  }));
  for (const { file, region } of regions) requireOwnName(file, region.slug, files);
  requireUnique(regions);
  requireWaves(regions);
  return regions.map(({ region }) => region);
}

type Read = readonly { readonly file: string; readonly region: Region }[];

function requireOwnName(file: string, slug: string, files: readonly RegionFile[]): void {
  const own = `${slug}.yaml`;
  if (file === own) return;
  const remedy = files.some(({ name }) => name === own)
    ? `${own} has the same; each must be unique`
    : `the file must be called ${own}`;
  throw new RegionInvalid(file, "slug", slug, remedy);
}

function requireUnique(regions: Read): void {
  const seen = new Map<string, string>();
  for (const { file, region } of regions) {
    const unique: readonly [field: string, value: string][] = [
      ["iso", region.iso],
      ["cluster.context", region.cluster.context],
      ["cluster.ingress.host", region.cluster.ingress.host],
      ...region.areaCodes.map((code): [string, string] => ["areaCodes", code]),
    ];
    for (const [field, value] of unique) {
      const other = seen.get(`${field} ${value}`);
      if (other !== undefined)
        throw new RegionInvalid(file, field, value, `${other} has the same; each must be unique`);
      seen.set(`${field} ${value}`, file);
    }
  }
}

/** Waves follow one another without a gap: behind one that nobody is in, nothing would ever be rolled out. */
function requireWaves(regions: Read): void {
  const waves = new Set(regions.map(({ region }) => region.rolloutWave));
  for (const { file, region } of regions) {
    const { rolloutWave } = region;
    const missing = Array.from({ length: rolloutWave - 1 }, (_, index) => index + 1).find(
      (wave) => !waves.has(wave),
    );
    if (missing === undefined) continue;
    const right = missing === 1 ? "1" : `1 to ${missing}`;
    const remedy = `no region is in wave ${missing}; waves begin at 1 and leave no gap: give ${right}`;
    throw new RegionInvalid(file, "rolloutWave", String(rolloutWave), remedy);
  }
}
