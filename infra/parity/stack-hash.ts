import { createHash } from "node:crypto";
import { titleOf, type Json, type Manifest } from "../kubernetes/manifest.ts";
import type { Site } from "../kubernetes/site.ts";
import { differences, type Difference } from "./differences.ts";

/** One site's objects with everything replaced that may differ, in an order of their own. */
export type Comparable = readonly Json[];

/**
 * @param site for its slug
 * @param may what may differ
 */
export function comparable(
  manifests: readonly Manifest[],
  site: Pick<Site, "stack">,
  may: readonly Difference[] = differences,
): Comparable {
  const compared = manifests.map(
    (manifest) => replaced(manifest as Json, manifest.kind, "", site, may) ?? null,
  );
  return compared.toSorted((one, other) => compareText(nameOf(one), nameOf(other)));
}

/** SHA-256 of what a site consists of, but for what may differ between regions. */
export function stackHash(manifests: readonly Manifest[], site: Pick<Site, "stack">): string {
  return hashOf(comparable(manifests, site));
}

export function hashOf(objects: Comparable): string {
  return createHash("sha256").update(canonical(objects)).digest("hex");
}

const compareText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
const nameOf = (object: Json): string => titleOf(object as unknown as Manifest);

function replaced(
  value: Json,
  kind: string,
  path: string,
  site: Pick<Site, "stack">,
  may: readonly Difference[],
): Json | undefined {
  const found = may.find(
    (each) => (each.kinds === undefined || each.kinds.includes(kind)) && each.path.test(path),
  );
  if (found !== undefined) return found.replace(value, site);
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) {
    return value.map(
      (item, index) => replaced(item, kind, `${path}[${itemName(item, index)}]`, site, may) ?? null,
    );
  }
  const fields = Object.entries(value).flatMap(([field, each]): [string, Json][] => {
    const result = replaced(each, kind, path === "" ? field : `${path}.${field}`, site, may);
    return result === undefined ? [] : [[field, result]];
  });
  return Object.fromEntries(fields);
}

export const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** Items of lists are known by their names where they have one: containers, variables, volumes, ports. */
export function itemName(item: Json, index: number): string {
  if (typeof item === "object" && item !== null && !isList(item) && typeof item["name"] === "string")
    return item["name"];
  return String(index);
}

/** The same text for the same content, whatever the order of fields. */
function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonical).join(",")}]`;
  const fields = Object.keys(value)
    .toSorted(compareText)
    .map((field) => `${JSON.stringify(field)}:${canonical(value[field] ?? null)}`);
  return `{${fields.join(",")}}`;
}
