import { X509Certificate } from "node:crypto";
import type { Deployment } from "#infra/deployment/deployment.ts";
import { trustedNkeys, type PublicKeys } from "#infra/keys/public-keys.ts";
import { Problem } from "#infra/problem.ts";

/** How it stands with the keys of a site, as `region list --json` gives it. */
export type KeysState = "none" | "made" | "rotating" | "unusable";

export function keysState({ keyStore }: Deployment, site: string): KeysState {
  if (!keyStore.has(site)) return "none";
  try {
    return keyStore.publicKeys(site).previous === null ? "made" : "rotating";
  } catch (error) {
    if (error instanceof Problem) return "unusable";
    throw error;
  }
}

/** Public parts of a site's keys, as `keys show --json` gives them. */
export function keysDocument(keys: PublicKeys) {
  return { ...keys, authorityEndsAt: new Date(new X509Certificate(keys.authority).validTo).toISOString() };
}

/** Days are enough for a person. */
const shownDay = (time: string): string => time.slice(0, "2026-01-01".length);

export function keysLines(keys: PublicKeys): string[] {
  const { site, madeAt, certificatesEndAt, fingerprint, nkeys, signingKeys, previous } = keys;
  const { authorityEndsAt } = keysDocument(keys);
  const rows: [name: string, value: string][] = [
    ["site", site],
    ["made", madeAt],
    ["fingerprint", fingerprint],
    ["certificates", `until ${shownDay(certificatesEndAt)} (\`npx qalqan keys make ${site}\` renews them)`],
    ["authority", `until ${shownDay(authorityEndsAt)}`],
    ["rotation", previous === null ? "none" : "not finished: the keys before are trusted as well"],
    ...Object.values(signingKeys).map(({ kid }): [string, string] => ["signing key", kid]),
    ...Object.keys(nkeys).map((name): [string, string] => [
      name,
      trustedNkeys(keys, name).join(", before: "),
    ]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
