import { distribution, type DebianPackage } from "./debian.ts";

/** A part of an image, as CycloneDX 1.5 tells it (`components`). */
export interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** By which databases of weaknesses know it. */
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
}

export function debianComponent({ name, version, architecture, sha256 }: DebianPackage): Component {
  const { id, codename } = distribution();
  const distro = codename === "" ? "" : `&distro=${codename}`;
  const [purlName, purlVersion] = [name, version].map(encodeURIComponent);
  const purl = `pkg:deb/${id}/${purlName}@${purlVersion}?arch=${architecture}${distro}`;
  return plainComponent(name, version, purl, sha256);
}

/** @param sha256 of the file that it came in */
export function plainComponent(name: string, version: string, purl: string, sha256?: string): Component {
  return {
    "bom-ref": purl,
    type: "library",
    name,
    version,
    purl,
    ...(sha256 === undefined ? {} : { hashes: [{ alg: "SHA-256", content: sha256 }] }),
  };
}

/** A program that comes as one binary. */
export function programComponent(detail: {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  /** Of the binary. */
  readonly sha256: string;
  /** SPDX identifier. */
  readonly license: string;
}): Component {
  const { name, version, purl, cpe, sha256, license } = detail;
  return {
    ...plainComponent(name, version, purl, sha256),
    type: "application",
    ...(cpe === undefined ? {} : { cpe }),
    licenses: [{ license: { id: license } }],
  };
}
