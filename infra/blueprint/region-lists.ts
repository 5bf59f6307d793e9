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
  /** What became of the key of its line, in the order of time; absent: it is the first one. */
  readonly keyChanges?: readonly KeyChange[];
}

/** The key of a region's line was revoked, or another one given. */
export interface KeyChange {
  /** Milliseconds since 1970: from then on what the hub stores of a revoked region is refused. */
  readonly atMs: number;
  readonly change: "revoked" | "renewed";
}

/** Whether the key of a region's line is revoked, and no other given yet. */
export function isRevoked(changes: readonly KeyChange[]): boolean {
  return changes.at(-1)?.change === "revoked";
}

/** JSON list of the regions that belong to the nation, with names, places, and what became of their keys. */
export function nationList(
  regions: readonly Region[],
  keyChangesOf: (slug: string) => readonly KeyChange[] = () => [],
): string {
  const list = regions.map(({ slug, iso, names, coordinates }): NationRegion => {
    const keyChanges = keyChangesOf(slug);
    return {
      slug,
      iso,
      ...names,
      lat: coordinates.latitude,
      lon: coordinates.longitude,
      ...(keyChanges.length > 0 && { keyChanges }),
    };
  });
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
