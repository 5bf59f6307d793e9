import type { Region } from "./regions.ts";

/** One line of the list of the nation's regions, as coordination reads it. */
export interface NationRegion {
  readonly slug: string;
  readonly iso: string;
  readonly en: string;
  readonly kk: string;
  readonly ru: string;
  readonly lat: number;
  readonly lon: number;
}

/** JSON list of the regions that belong to the nation, with names and places. */
export function nationList(regions: readonly Region[]): string {
  const list = regions.map(({ slug, iso, names, coordinates }): NationRegion => ({
    slug,
    iso,
    ...names,
    lat: coordinates.latitude,
    lon: coordinates.longitude,
  }));
  return JSON.stringify(list, undefined, 2);
}

/** JSON list of every region of the country with its area codes, as screening reads it. */
export function countryList(regions: readonly Region[]): string {
  return JSON.stringify(
    regions.map(({ slug, areaCodes }) => ({ slug, areaCodes })),
    undefined,
    2,
  );
}
