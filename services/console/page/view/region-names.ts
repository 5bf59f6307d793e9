import type { Region } from "../feed/nation.ts";
import type { Language } from "../texts/languages.ts";
import type { Texts } from "../texts/en.ts";

/** Names for labels on the map: without the word that most share, unless two would become the same. */
export function shortNames(regions: readonly Region[], language: Language, { regionWord }: Texts): string[] {
  const names = regions.map(({ names: each }) => each[language]);
  const short = names.map((name) => name.replace(regionWord, " ").trim());
  return names.map((name, index) => {
    const brief = short[index] ?? name;
    return short.filter((other) => other === brief).length > 1 ? name : brief;
  });
}

/** Name of a region by its slug; the slug where the capital does not know it any more. */
export function nameOf(slug: string, regions: readonly Region[], language: Language): string {
  return regions.find(({ region }) => region === slug)?.names[language] ?? slug;
}
