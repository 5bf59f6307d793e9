import { readFileSync } from "node:fs";
import { z } from "zod";

/** Which regions there are, and whose fixed lines begin with which area code. */
export interface RegionDirectory {
  /** Whether a text from a switch is a region's slug. */
  readonly isRegion: (text: string) => boolean;
  /** Slug by area code, without +7. */
  readonly ofAreaCode: ReadonlyMap<string, string>;
}

const slugPattern = /^[a-z]+(-[a-z]+)*$/;
const slugCharactersMax = 40;

const fileSchema = z.array(z.object({ slug: z.string(), areaCodes: z.array(z.string()).default([]) }));

/**
 * Reads the file of regions; without one every well-formed slug is taken.
 *
 * @throws an error that names the file when it cannot be read or understood
 */
export function readRegions(file: string | undefined): RegionDirectory {
  if (file === undefined) {
    return {
      isRegion: (text) => text.length <= slugCharactersMax && slugPattern.test(text),
      ofAreaCode: new Map(),
    };
  }
  try {
    const regions = fileSchema.parse(JSON.parse(readFileSync(file, "utf8")));
    const slugs = new Set(regions.map(({ slug }) => slug));
    return {
      isRegion: (text) => slugs.has(text),
      ofAreaCode: new Map(
        regions.flatMap(({ slug, areaCodes }) => areaCodes.map((code) => [code, slug] as const)),
      ),
    };
  } catch (error) {
    throw new Error(`REGIONS_FILE: expected a JSON array of regions with slug and areaCodes in ${file}`, {
      cause: error,
    });
  }
}
