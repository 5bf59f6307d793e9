import type { CertificatePart, Stack } from "../blueprint/stack.ts";
import { placeholderNkey } from "./nkey.ts";
import { publicPartsOf, type SiteKeys } from "./site-keys.ts";
import { trustedAuthorities, trustedNkeys, type PublicParts } from "./public-keys.ts";

/** The keys of one site, as manifests are made of them. */
export interface KeyMaterial {
  /**
   * Content of a secret's file: the seed of an nkey, random bytes as hexadecimal
   * digits, a signing key as PEM; of a certificate, one of its parts (PEM), where
   * `ca` is every authority of the site that is trusted at present.
   *
   * @throws RangeError for a secret that the site has not
   */
  file(secret: string, part?: CertificatePart): string;
  /**
   * Public nkeys by which the holder of a secret is known: the current, and
   * while keys are rotated the previous.
   *
   * @throws RangeError for a secret that is no nkey of the site
   */
  publicKeys(secret: string): readonly string[];
}

/** The real keys, decrypted. */
export async function materialOf(keys: SiteKeys): Promise<KeyMaterial> {
  const parts = await publicPartsOf(keys);
  const texts = new Map([keys.nkeys, keys.random, keys.signingKeys].flatMap((each) => Object.entries(each)));
  return {
    file: (secret, part = "certificate") => {
      const certificate = keys.certificates[secret];
      const text = certificate === undefined ? texts.get(secret) : partOf(keys, certificate, part);
      if (text === undefined) throw new RangeError(`the keys of ${keys.site} have no secret ${secret}`);
      return text;
    },
    publicKeys: (secret) => trustedNkeys(parts, secret),
  };
}

function partOf(
  { authority, previous }: SiteKeys,
  own: SiteKeys["certificates"][string],
  part: CertificatePart,
): string {
  switch (part) {
    case "ca":
      return trustedAuthorities([{ authority: authority.certificate, previous }]);
    case "certificate":
      // With the bridge those believe it too who have not heard of the new authority yet.
      return own.certificate + (previous?.bridge ?? "");
    case "key":
      return own.key;
    default:
      return part satisfies never;
  }
}

/**
 * Stands for a site's keys where only the shape counts: golden manifests and
 * parity. Always the same, and plainly not real.
 */
export function placeholderKeys(stack: Stack): KeyMaterial {
  const parts = placeholderPublicParts(stack);
  return {
    file: (secret, part = "certificate") => {
      const known = stack.secrets.find(({ name }) => name === secret);
      if (known === undefined) throw new RangeError(`the stack of ${stack.site} has no secret ${secret}`);
      return placeholder(stack.site, known.kind === "certificate" ? `${secret}, ${part}` : secret);
    },
    publicKeys: (secret) => trustedNkeys(parts, secret),
  };
}

/** What is public of a site's keys, where only the shape counts. */
export function placeholderPublicParts(stack: Stack): PublicParts {
  const { site } = stack;
  const nkeys = stack.secrets
    .filter(({ kind }) => kind === "nkey")
    .map(({ name }) => [name, placeholderNkey(`placeholder-${site}-${name}`)]);
  return {
    site,
    madeAt: "2026-01-01T00:00:00.000Z",
    authority: placeholder(site, "authority"),
    certificatesEndAt: "2027-01-01T00:00:00.000Z",
    nkeys: Object.fromEntries(nkeys),
    signingKeys: {},
    formerSigningKeys: {},
    previous: null,
  };
}

const placeholder = (site: string, what: string): string => `placeholder, no key of ${site}: ${what}\n`;
