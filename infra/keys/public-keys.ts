import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { z } from "zod";
import { secretName } from "../blueprint/parts.ts";

const pem = z.string().startsWith("-----BEGIN CERTIFICATE-----");
const nkey = z.string().regex(/^U[A-Z2-7]{55}$/, "must be a public nkey of a user");
const digest = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits");

/** An Ed25519 public key (RFC 8037), with its thumbprint (RFC 7638) as key id. */
export const signingKeySchema = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  kid: z.string(),
  use: z.literal("sig"),
  alg: z.literal("EdDSA"),
});
export type SigningKey = z.output<typeof signingKeySchema>;

const partsSchema = z.strictObject({
  site: z.string(),
  /** When the authority was made. */
  madeAt: z.iso.datetime(),
  /** Certificate of the site's authority. */
  authority: pem,
  /** When the first of the site's certificates ends. */
  certificatesEndAt: z.iso.datetime(),
  /** By the name of the secret. */
  nkeys: z.record(z.string(), nkey),
  signingKeys: z.record(z.string(), signingKeySchema),
  /** All earlier ones: what they have signed stays signed. */
  formerSigningKeys: z.record(z.string(), z.array(signingKeySchema)),
  /** While keys are rotated: what is still trusted beside the current. */
  previous: z.strictObject({ authority: pem, nkeys: z.record(z.string(), nkey) }).nullable(),
});
export type PublicParts = Readonly<z.output<typeof partsSchema>>;

export const publicKeysSchema = partsSchema.extend({
  /** SHA-256 of the public parts. */
  fingerprint: digest,
  /** SHA-256 of the encrypted file beside which this was written. */
  encryptedSha256: digest,
});

/** What everybody may know of a site's keys: the file `keys/<site>.public.json`. */
export type PublicKeys = Readonly<z.output<typeof publicKeysSchema>>;

export const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");

/** The same for the same parts, in whatever order they were written. */
export function fingerprintOf(parts: PublicParts): string {
  return sha256(JSON.stringify(sorted(partsSchema.strip().parse(parts))));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}

/** Authorities whose certificates are to be trusted for these sites, as one PEM file. */
export function trustedAuthorities(sites: readonly Pick<PublicParts, "authority" | "previous">[]): string {
  return sites
    .flatMap(({ authority, previous }) => [authority, ...(previous === null ? [] : [previous.authority])])
    .join("");
}

/** Public nkeys by which the holder of a secret is known: the current, and while keys are rotated the previous. */
export function trustedNkeys(
  { site, nkeys, previous }: Pick<PublicParts, "site" | "nkeys" | "previous">,
  secret: string,
): readonly string[] {
  const current = nkeys[secret];
  if (current === undefined) throw new RangeError(`the keys of ${site} have no nkey ${secret}`);
  const former = previous?.nkeys[secret];
  return former === undefined ? [current] : [current, former];
}

/** Public part of a signing key. @param privateKey Ed25519, PEM */
export function publicSigningKey(privateKey: string): SigningKey {
  const { x = "" } = createPublicKey(createPrivateKey(privateKey)).export({ format: "jwk" });
  // RFC 7638, 3: the required members in the order of their names.
  const thumbprint = Buffer.from(sha256(JSON.stringify({ crv: "Ed25519", kty: "OKP", x })), "hex");
  const kid = thumbprint.toString("base64url");
  return { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" };
}

/** Public signing keys by site, of each site in the order in which they were used, the current one last. */
export type SigningKeyList = Readonly<Record<string, readonly SigningKey[]>>;

/** By which keys the seals of these sites are verified: what a former key has signed stays signed. */
export function signingKeyList(
  sites: readonly Pick<PublicParts, "site" | "signingKeys" | "formerSigningKeys">[],
): SigningKeyList {
  const name = secretName.signingKey;
  return Object.fromEntries(
    sites.map(({ site, signingKeys, formerSigningKeys }) => {
      const current = signingKeys[name];
      return [site, [...(formerSigningKeys[name] ?? []), ...(current === undefined ? [] : [current])]];
    }),
  );
}

/** The list as a file. */
export const signingKeysText = (list: SigningKeyList): string => `${JSON.stringify(list, undefined, 2)}\n`;
