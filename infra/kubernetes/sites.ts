import { capitalStack } from "../blueprint/capital-stack.ts";
import { hubAccounts } from "../blueprint/nats-configuration.ts";
import { secretName } from "../blueprint/parts.ts";
import { countryList, isRevoked, nationList, type KeyChange } from "../blueprint/region-lists.ts";
import type { Region } from "../blueprint/regions.ts";
import { regionalStack } from "../blueprint/regional-stack.ts";
import { capitalSite as capital, type Stack } from "../blueprint/stack.ts";
import { siteArchive } from "../deployment/archive.ts";
import type { Capital } from "../deployment/capital.ts";
import type { Deployment } from "../deployment/deployment.ts";
import { placeholderRelease, type Release } from "../deployment/release.ts";
import { placeholderKeys, placeholderPublicParts, type KeyMaterial } from "../keys/key-material.ts";
import {
  signingKeyList,
  signingKeysText,
  trustedAuthorities,
  trustedNkeys,
  type PublicParts,
} from "../keys/public-keys.ts";
import { Problem } from "../problem.ts";
import type { Site } from "./site.ts";

/** What the sites of a nation are made of, wherever it comes from. */
export interface NationInputs {
  readonly regions: readonly Region[];
  readonly capital: Capital;
  readonly release: Release;
  /** The public keys of people's identity, JWKS. */
  readonly identityKeys: string;
  /** Access key of the archive; read where the capital has one. */
  readonly archiveCredentials: () => string;
  /** Authority of its endpoint, PEM; undefined where a public one vouches for it. */
  readonly archiveAuthority: () => string | undefined;
  /** Keys of one site, decrypted. */
  readonly keys: (stack: Stack) => Promise<KeyMaterial>;
  /** What became of the keys of regions' lines, by slug. */
  readonly keyChanges: Readonly<Record<string, readonly KeyChange[]>>;
  /** Public parts of one site's keys. */
  readonly publicParts: (stack: Stack) => PublicParts;
}

/** The nation of a deployment: its release, its keys. */
export function deployedNation(deployment: Deployment): NationInputs {
  return {
    regions: deployment.regions(),
    capital: deployment.capital(),
    release: deployment.release(),
    identityKeys: deployment.identityKeys(),
    archiveCredentials: () => deployment.archiveCredentials(),
    archiveAuthority: () => deployment.archiveAuthority(),
    keyChanges: deployment.keyChanges(),
    keys: ({ site }) => deployment.keys(site),
    publicParts: ({ site }) => deployment.publicKeys(site),
  };
}

/** The same nation where only the shape counts: nothing of the deployment's own is read. */
export function placeholderNation(
  deployment: Pick<Deployment, "regions" | "capital">,
  release: Release = placeholderRelease,
): NationInputs {
  return {
    regions: deployment.regions(),
    capital: deployment.capital(),
    release,
    identityKeys: JSON.stringify({ keys: [] }),
    archiveCredentials: () => "placeholder\nplaceholder\n",
    archiveAuthority: () => undefined,
    keyChanges: {},
    keys: async (stack) => placeholderKeys(stack),
    publicParts: placeholderPublicParts,
  };
}

/** @throws Problem `unknown-region` when the nation has no region of that slug */
export async function regionSite(nation: NationInputs, slug: string): Promise<Site> {
  const region = nation.regions.find((each) => each.slug === slug);
  if (region === undefined) {
    throw new Problem({
      code: "unknown-region",
      field: "region",
      value: slug,
      message: `there is no region ${slug}`,
      remedy: `one of: ${nation.regions.map((each) => each.slug).join(", ")}; or add it: npx qalqan region add ${slug}`,
    });
  }
  const stack = regionalStack(region);
  const { leafHost, leafPort, sizeClass } = nation.capital;
  return {
    ...(await common(nation, stack)),
    names: region.names,
    signingKeys: "",
    archive: undefined,
    cluster: region.cluster,
    line: {
      address: `${leafHost}:${leafPort}`,
      authority: trustedAuthorities([nation.publicParts(capitalStack(sizeClass))]),
    },
  };
}

const capitalNames = { kk: "Орталық", ru: "Центр", en: "Capital" };

export async function capitalSite(nation: NationInputs): Promise<Site> {
  const { sizeClass, archive } = nation.capital;
  const stack = capitalStack(sizeClass);
  const keys = await nation.keys(stack);
  const regions = nation.regions.map((region) => nation.publicParts(regionalStack(region)));
  const isOut = (slug: string) => isRevoked(nation.keyChanges[slug] ?? []);
  return {
    ...(await common(nation, stack)),
    names: capitalNames,
    signingKeys: signingKeysText(signingKeyList([nation.publicParts(stack), ...regions])),
    archive: archive && siteArchive(archive, nation.archiveCredentials(), nation.archiveAuthority()),
    cluster: nation.capital.cluster,
    line: {
      accounts: hubAccounts({
        coordination: keys.publicKeys(secretName.natsUser("coordination")),
        system: keys.publicKeys(secretName.system),
        leaf: new Map(
          regions.map((parts) => [parts.site, isOut(parts.site) ? [] : trustedNkeys(parts, secretName.leaf)]),
        ),
      }),
      authorities: trustedAuthorities(regions.filter(({ site }) => !isOut(site))),
    },
  };
}

async function common(nation: NationInputs, stack: Stack) {
  return {
    stack,
    release: nation.release,
    keys: await nation.keys(stack),
    identityKeys: nation.identityKeys,
    country: countryList(nation.regions),
    nation: nationList(nation.regions, (slug) => nation.keyChanges[slug] ?? []),
  };
}

/** One site by its name: a region's slug, or `capital`. */
export function siteOf(nation: NationInputs, name: string): Promise<Site> {
  return name === capital ? capitalSite(nation) : regionSite(nation, name);
}
