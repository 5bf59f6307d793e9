import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const slugPattern = /^[a-z]+(-[a-z]+)*$/;
const text = z.string().trim().min(1, "must not be empty");

/**
 * One region, as `regions/<slug>.yaml` says; `regions/region.schema.json` tells
 * editors the same. Nothing in it can change what a stack consists of.
 */
const regionSchema = z.strictObject({
  slug: z
    .string()
    .regex(slugPattern, "must be lower-case words joined by hyphens, for example west-kazakhstan")
    .refine((slug) => slug !== "capital", "must not be `capital`, which names the central stack"),
  iso: z.string().regex(/^KZ-\d{2}$/, "must be a code of ISO 3166-2:KZ, for example KZ-71"),
  names: z.strictObject({ kk: text, ru: text, en: text }),
  /** The city where the centre is. */
  centre: z.strictObject({ kk: text, ru: text }),
  /** Of the centre, in degrees (WGS 84). */
  coordinates: z.strictObject({
    latitude: z
      .number()
      .min(40, "must be within Kazakhstan: 40 to 56")
      .max(56, "must be within Kazakhstan: 40 to 56"),
    longitude: z
      .number()
      .min(46, "must be within Kazakhstan: 46 to 88")
      .max(88, "must be within Kazakhstan: 46 to 88"),
  }),
  /** Fixed-line codes without the country code. */
  areaCodes: z.array(z.string().regex(/^7\d{2,5}$/, "must be digits in quotes, beginning with 7")).min(1),
  sizeClass: z.enum(["small", "medium", "large"], "must be small, medium or large"),
  /** Astana is 1; a wave begins when the one before it has baked. */
  rolloutWave: z.int().min(1).max(20),
  /** Where the stack runs: the context of the kubeconfig. */
  cluster: z.strictObject({ context: text }),
});

export type Region = Readonly<z.output<typeof regionSchema>>;
export type SizeClass = Region["sizeClass"];

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

/**
 * Reads every region, in the order of the slugs.
 *
 * @throws RegionInvalid at the first file that is malformed or repeats another
 */
export function loadRegions(folder: string = regionsFolder): readonly Region[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort();
  const regions = files.map((file) => readRegion(folder, file));
  const seen = new Map<string, string>();
  for (const [index, region] of regions.entries()) {
    const file = files[index] ?? "";
    const unique: readonly [field: string, value: string][] = [
      ["slug", region.slug],
      ["iso", region.iso],
      ["cluster.context", region.cluster.context],
      ...region.areaCodes.map((code): [string, string] => ["areaCodes", code]),
    ];
    for (const [field, value] of unique) {
      const other = seen.get(`${field} ${value}`);
      if (other !== undefined)
        throw new RegionInvalid(file, field, value, `${other} has the same; each must be unique`);
      seen.set(`${field} ${value}`, file);
    }
  }
  return regions;
}

function readRegion(folder: string, file: string): Region {
  const content = readFileSync(join(folder, file), "utf8");
  let document: unknown;
  try {
    document = parse(content);
  } catch (error) {
    throw new RegionInvalid(file, "", "not YAML", error instanceof Error ? error.message : String(error));
  }
  const result = regionSchema.safeParse(document);
  if (!result.success) {
    const issue = result.error.issues[0];
    const unknownKeys = issue?.code === "unrecognized_keys" ? issue.keys : [];
    const path = [...(issue?.path ?? []), ...unknownKeys.slice(0, 1)].map(String);
    const remedy =
      unknownKeys.length > 0 ? "remove it, or see region.schema.json for its right name" : issue?.message;
    throw new RegionInvalid(file, path.join("."), shown(document, path), remedy ?? "see region.schema.json");
  }
  if (file !== `${result.data.slug}.yaml`) {
    throw new RegionInvalid(
      file,
      "slug",
      result.data.slug,
      `the file must be called ${result.data.slug}.yaml`,
    );
  }
  return result.data;
}

function shown(document: unknown, path: readonly string[]): string {
  let value: unknown = document;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value === undefined ? "missing" : JSON.stringify(value);
}
