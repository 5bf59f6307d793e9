import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isRevoked, type KeyChange, type NationRegion } from "../blueprint/region-lists.ts";
import { secretName } from "../blueprint/parts.ts";
import type { DataFolder } from "./data-folder.ts";

/** The regions of the nation of a data folder, as its list says; none before the first start. */
export function knownRegions(folder: DataFolder): readonly NationRegion[] {
  if (!existsSync(folder.regionsFile)) return [];
  return JSON.parse(readFileSync(folder.regionsFile, "utf8")) as readonly NationRegion[];
}

/** What became of the key of a region, after this change; a key that is revoked already is not revoked again. */
export function withChange(
  before: readonly KeyChange[],
  change: KeyChange["change"],
  nowMs: number,
): readonly KeyChange[] {
  if (change === "revoked" && isRevoked(before)) return before;
  // The clock may have been set back; what came later comes later.
  const atMs = Math.max(nowMs, (before.at(-1)?.atMs ?? 0) + 1);
  return [...before, { atMs, change }];
}

/** Takes a region's leaf key away: the next that prepares its secrets makes another. */
export function forgetLeafKey(folder: DataFolder, region: string): void {
  const file = join(folder.secrets(region), secretName.leaf);
  for (const each of [file, `${file}.public`]) rmSync(each, { force: true });
}
