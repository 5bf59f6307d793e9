import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { capitalStack } from "../blueprint/capital-stack.ts";
import type { KeyChange } from "../blueprint/region-lists.ts";
import { loadRegions, regionsFolder, type Region } from "../blueprint/regions.ts";
import { regionalStack } from "../blueprint/regional-stack.ts";
import { capitalSite, type Stack, type WorkloadName } from "../blueprint/stack.ts";
import { KeyAccess } from "../keys/key-access.ts";
import { materialOf, type KeyMaterial } from "../keys/key-material.ts";
import { KeyStore } from "../keys/key-store.ts";
import type { PublicKeys } from "../keys/public-keys.ts";
import type { KeyOrder } from "../keys/site-keys.ts";
import { Problem } from "../problem.ts";
import { readArchiveAuthority, readArchiveCredentials } from "./archive.ts";
import { readCapital, type Capital } from "./capital.ts";
import { readKeyChanges } from "./key-changes.ts";
import { readIdentityKeys } from "./identity-keys.ts";
import { readRelease, type Release } from "./release.ts";

export type { Capital };

/** Where a deployment keeps what is its own, unless said otherwise; not in git. */
export const defaultDeploymentFolder = "deployment";

/**
 * One nation on clusters: its regions (a folder of files in git), and what is
 * not in git (release, keys, the identity's public keys, settings of the capital).
 */
export class Deployment {
  /** Absolute. */
  readonly folder: string;
  /** Absolute. */
  readonly regionsFolder: string;
  readonly access: KeyAccess;
  readonly keyStore: KeyStore;

  private constructor(folder: string, regions: string, environment: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.regionsFolder = regions;
    this.access = new KeyAccess(folder, environment);
    this.keyStore = new KeyStore(folder, this.access);
  }

  /**
   * What the options say, else `QALQAN_DEPLOYMENT` and `QALQAN_REGIONS`, else
   * `./deployment` and the project's own regions. Nothing is read yet.
   */
  static of(
    options: { readonly deployment?: string | undefined; readonly regions?: string | undefined } = {},
    environment: NodeJS.ProcessEnv = process.env,
  ): Deployment {
    const variable = (name: string) => (environment[name] === "" ? undefined : environment[name]);
    const folder = options.deployment ?? variable("QALQAN_DEPLOYMENT") ?? defaultDeploymentFolder;
    const regions = options.regions ?? variable("QALQAN_REGIONS") ?? regionsFolder;
    return new Deployment(resolve(folder), resolve(regions), environment);
  }

  /**
   * In the order of the slugs.
   *
   * @throws RegionInvalid; Problem `regions-missing`
   */
  regions(): readonly Region[] {
    if (existsSync(this.regionsFolder) && statSync(this.regionsFolder).isDirectory())
      return loadRegions(this.regionsFolder);
    throw new Problem({
      code: "regions-missing",
      field: "regions-folder",
      value: this.regionsFolder,
      message: `there is no folder ${this.regionsFolder}`,
      remedy:
        "give the folder of the regions' files with --regions-folder, or leave it out for the project's own",
    });
  }

  /** @throws Problem `capital-invalid` */
  capital(): Capital {
    return readCapital(this.folder);
  }

  /** @throws Problem `release-missing`, `release-invalid` */
  release(): Release {
    return readRelease(join(this.folder, "release.json"));
  }

  /** Of the object storage in which the capital archives. @throws Problem as `readArchiveCredentials` */
  archiveCredentials(): string {
    return readArchiveCredentials(join(this.folder, "archive-credentials"));
  }

  /**
   * Who vouches for the endpoint of that storage, PEM; undefined without such a
   * file. @throws Problem `archive-authority-invalid`
   */
  archiveAuthority(): string | undefined {
    return readArchiveAuthority(join(this.folder, "archive-authority.pem"));
  }

  /** JWKS. @throws Problem `identity-keys-missing`, `identity-keys-invalid`, `identity-keys-private` */
  identityKeys(): string {
    return readIdentityKeys(join(this.folder, "identity-keys.json"));
  }

  /** What became of the keys of regions' lines, by slug. @throws Problem `key-changes-invalid` */
  keyChanges(): Readonly<Record<string, readonly KeyChange[]>> {
    return readKeyChanges(this.folder);
  }

  /** @throws Problem as `KeyStore.read`; as `keyOrder` */
  async keys(site: string): Promise<KeyMaterial> {
    return materialOf(await this.keyStore.read(this.keyOrder(site)));
  }

  /** @throws Problem as `KeyStore.publicKeys` */
  publicKeys(site: string): PublicKeys {
    return this.keyStore.publicKeys(site);
  }

  /**
   * What keys a site needs.
   *
   * @throws Problem `unknown-site`; as `regions` and `capital`
   */
  keyOrder(site: string): KeyOrder {
    if (site === capitalSite) return capitalKeyOrder(this.capital());
    const regions = this.regions();
    const region = regions.find(({ slug }) => slug === site);
    if (region !== undefined) return regionKeyOrder(region);
    throw new Problem({
      code: "unknown-site",
      field: "site",
      value: site,
      message: `there is no region ${site} in ${this.regionsFolder}`,
      remedy: `one of: ${[capitalSite, ...regions.map(({ slug }) => slug)].join(", ")}`,
    });
  }
}

/** What keys a region needs. */
export function regionKeyOrder(region: Region): KeyOrder {
  const stack = regionalStack(region);
  return { stack, hosts: hostsForPeople(stack, region.cluster.ingress.host) };
}

function capitalKeyOrder({ sizeClass, leafHost, cluster }: Capital): KeyOrder {
  const stack = capitalStack(sizeClass);
  const hub = stack.workloads.find(({ program }) => program.kind === "nats");
  return {
    stack,
    hosts: { ...hostsForPeople(stack, cluster.ingress.host), ...(hub && { [hub.name]: [leafHost] }) },
  };
}

/** Whatever people or switches reach from outside may be reached under the site's public host name. */
function hostsForPeople({ arrows }: Stack, host: string): KeyOrder["hosts"] {
  const hosts: Partial<Record<WorkloadName, readonly string[]>> = {};
  for (const { from, to } of arrows) if (from === "person" || from === "switch") hosts[to.workload] = [host];
  return hosts;
}
