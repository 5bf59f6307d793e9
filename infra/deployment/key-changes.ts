import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isRevoked, type KeyChange } from "../blueprint/region-lists.ts";
import { writeDurably } from "../keys/durable-file.ts";
import { Problem } from "../problem.ts";

const changesSchema = z.record(
  z.string(),
  z.array(z.strictObject({ atMs: z.number().int().nonnegative(), change: z.enum(["revoked", "renewed"]) })),
);

const fileMode = 0o644;
const fileOf = (folder: string): string => join(folder, "key-changes.json");

/**
 * What became of the keys of regions' lines, by slug: the file `key-changes.json` of a deployment.
 *
 * @throws Problem `key-changes-invalid`
 */
export function readKeyChanges(folder: string): Readonly<Record<string, readonly KeyChange[]>> {
  const file = fileOf(folder);
  if (!existsSync(file)) return {};
  try {
    return changesSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new Problem({
      code: "key-changes-invalid",
      field: "deployment",
      value: file,
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "restore it: without it a revoked key would be let in again",
    });
  }
}

/** Adds a change; a key that is revoked already is not revoked again. @returns when the last change was */
export function addKeyChange(
  folder: string,
  region: string,
  change: KeyChange["change"],
  nowMs: number,
): number {
  const all = readKeyChanges(folder);
  const before = all[region] ?? [];
  const last = before.at(-1);
  if (last !== undefined && change === "revoked" && isRevoked(before)) return last.atMs;
  const atMs = Math.max(nowMs, (last?.atMs ?? 0) + 1);
  const after = { ...all, [region]: [...before, { atMs, change }] };
  writeDurably(fileOf(folder), `${JSON.stringify(after, undefined, 2)}\n`, fileMode);
  return atMs;
}
