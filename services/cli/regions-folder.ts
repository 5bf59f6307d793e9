import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Slugs of every region that can be run; names of files alone, without reading twenty of them. */
export function regionSlugs(): string[] {
  return readdirSync(join(import.meta.dirname, "..", "..", "regions"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}
