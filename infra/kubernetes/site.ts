import type { ClusterSettings } from "../blueprint/cluster.ts";
import type { Stack } from "../blueprint/stack.ts";
import type { SiteArchive } from "../deployment/archive.ts";
import type { Release } from "../deployment/release.ts";
import type { KeyMaterial } from "../keys/key-material.ts";

/** The capital's public address and authority, as a region knows them. */
export interface HubEnd {
  /** `host:port` of the hub's leaf port. */
  readonly address: string;
  /** PEM. */
  readonly authority: string;
}

/** What the hub is told about the regions; it changes when one is added, and nothing restarts for it. */
export interface HubRegions {
  /** Text of the hub's accounts. */
  readonly accounts: string;
  /** Authorities whose leaf nodes are let in, PEM. */
  readonly authorities: string;
}

/** Everything that the manifests of a site are made of. */
export interface Site {
  readonly stack: Stack;
  /** Names for people, as annotations: `kk`, `ru`, `en`. */
  readonly names: Readonly<Record<"kk" | "ru" | "en", string>>;
  readonly cluster: ClusterSettings;
  readonly release: Release;
  readonly keys: KeyMaterial;
  /** The public keys of people's identity, JWKS. */
  readonly identityKeys: string;
  /** JSON lists of regions, as `REGIONS_FILE` of screening and of coordination. */
  readonly country: string;
  readonly nation: string;
  /** JSON of the public signing keys of all sites, as `SIGNING_KEYS_FILE` of coordination; a region is not told. */
  readonly signingKeys: string;
  /** Of the capital, where it has one. */
  readonly archive: SiteArchive | undefined;
  /** The other end of the line: the hub for a region, the regions for the capital. */
  readonly line: HubEnd | HubRegions;
}
