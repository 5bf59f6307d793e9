import type { Region } from "../feed/nation.ts";
import type { Language } from "../texts/language.tsx";
import type { Texts } from "../texts/en.ts";

/** The region's name without the word that all names share, for a label on the map. */
export function shortName(region: Region, language: Language, { regionWord }: Texts): string {
  return region.names[language].replace(regionWord, " ").trim();
}

/** Name of a region by its slug; the slug where the capital does not know it any more. */
export function nameOf(slug: string, regions: readonly Region[], language: Language): string {
  return regions.find(({ region }) => region === slug)?.names[language] ?? slug;
}
