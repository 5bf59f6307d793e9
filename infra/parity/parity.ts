import type { Json, Manifest } from "../kubernetes/manifest.ts";
import { titleOf } from "../kubernetes/manifest.ts";
import type { Site } from "../kubernetes/site.ts";
import { keyDifferences } from "./differences.ts";
import { comparable, hashOf, isList, itemName, type Comparable } from "./stack-hash.ts";

/** One field in which a region is not as the others are. */
export interface Unlike {
  /** `Deployment ‹namespace›/centre`. */
  readonly object: string;
  /** Path of the field; empty: the object as a whole. */
  readonly field: string;
  readonly value: string;
  readonly expected: string;
}

export interface RegionParity {
  readonly region: string;
  readonly hash: string;
  /** Absent when it is as most are. */
  readonly unlike?: Unlike;
}

/**
 * Compares stacks with one another: with the hash that most of them have.
 *
 * @param stacks the objects of each region, rendered or as they run
 */
export function compareStacks(
  stacks: readonly { readonly site: Pick<Site, "stack">; readonly manifests: readonly Manifest[] }[],
): readonly RegionParity[] {
  const compared = stacks.map(({ site, manifests }) => {
    const objects = comparable(manifests, site);
    return { region: site.stack.site, objects, hash: hashOf(objects) };
  });
  const counts = new Map<string, number>();
  for (const { hash } of compared) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  const usual = [...counts].toSorted(([, one], [, other]) => other - one)[0]?.[0];
  const reference = compared.find(({ hash }) => hash === usual);
  return compared.map(({ region, hash, objects }) =>
    reference === undefined || hash === reference.hash
      ? { region, hash }
      : { region, hash, unlike: firstUnlike(objects, reference.objects) },
  );
}

/**
 * Compares a site as it runs with what it must be: everything but key material.
 *
 * @returns the first field in which it is not; `undefined` when it is in all
 */
export function unlikeRendered(
  site: Pick<Site, "stack">,
  running: readonly Manifest[],
  rendered: readonly Manifest[],
): Unlike | undefined {
  const [objects, expected] = [running, rendered].map((each) => comparable(each, site, keyDifferences));
  if (objects === undefined || expected === undefined || hashOf(objects) === hashOf(expected))
    return undefined;
  return firstUnlike(objects, expected);
}

function firstUnlike(objects: Comparable, expected: Comparable): Unlike {
  const own = new Map(objects.map((each) => [titleOf(each as unknown as Manifest), each]));
  const others = new Map(expected.map((each) => [titleOf(each as unknown as Manifest), each]));
  for (const title of new Set([...others.keys(), ...own.keys()])) {
    const [one, other] = [own.get(title), others.get(title)];
    const found = unlikeField(one, other, "");
    if (found !== undefined) return { object: title, ...found };
  }
  throw new Error("two stacks have different hashes and the same objects");
}

/** The first field in which two values differ; `undefined` when none does. */
export function unlikeField(
  value: Json | undefined,
  expected: Json | undefined,
  field: string,
): Omit<Unlike, "object"> | undefined {
  if (isBranch(value) && isBranch(expected) && isList(value) === isList(expected)) {
    const [own, other] = [children(value), children(expected)];
    for (const key of new Set([...other.keys(), ...own.keys()])) {
      const path = isList(value) ? `${field}[${key}]` : field === "" ? key : `${field}.${key}`;
      const found = unlikeField(own.get(key), other.get(key), path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return value === expected ? undefined : { field, value: shown(value), expected: shown(expected) };
}

type Branch = readonly Json[] | { readonly [key: string]: Json };
const isBranch = (value: Json | undefined): value is Branch => typeof value === "object" && value !== null;

function children(value: Branch): ReadonlyMap<string, Json> {
  return isList(value)
    ? new Map(value.map((item, index) => [itemName(item, index), item]))
    : new Map(Object.entries(value));
}

const shownLength = 120;

function shown(value: Json | undefined): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
}
