import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Slugs of every region that can be run; names of files alone, without reading twenty of them. */
export function regionSlugs(): string[] {
  return readdirSync(join(import.meta.dirname, "..", "..", "regions"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** The capital's own region and the two that follow it: small enough for two cores. */
const firstWaves = 2;

/** Those that run unless others are asked for. */
export async function firstRegions(): Promise<string[]> {
  const { loadRegions } = await import("#infra/blueprint/regions.ts");
  return loadRegions()
    .filter(({ rolloutWave }) => rolloutWave <= firstWaves)
    .toSorted((left, right) => left.rolloutWave - right.rolloutWave)
    .map(({ slug }) => slug);
}
