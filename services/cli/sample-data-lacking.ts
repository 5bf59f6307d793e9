import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "#infra/local/data-folder.ts";

/** What was put in already: somebody may have changed it since, and keeps the change. */
export interface Seeded {
  readonly regions: readonly string[];
  readonly bank: boolean;
}

/** What of the sample data this data folder still lacks. */
export function lackingSampleData(dataFolder: string, regions: readonly string[]): Seeded {
  const seeded = readSeeded(dataFolder);
  return { regions: regions.filter((region) => !seeded.regions.includes(region)), bank: seeded.bank };
}

/** These regions, and the bank, have got theirs. */
export function rememberSampleData(dataFolder: string, regions: readonly string[]): void {
  const seeded = readSeeded(dataFolder);
  writeWhole(fileOf(dataFolder), JSON.stringify({ regions: [...seeded.regions, ...regions], bank: true }));
}

function fileOf(dataFolder: string): string {
  return join(dataFolder, "sample-data.json");
}

function readSeeded(dataFolder: string): Seeded {
  const file = fileOf(dataFolder);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Seeded) : { regions: [], bank: false };
}
