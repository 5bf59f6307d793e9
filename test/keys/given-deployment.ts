import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { regionsFolder } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import type { KeyMaterial } from "#infra/keys/key-material.ts";

/** A folder of a deployment of two regions, with one person's identity; it goes with its test. */
export interface GivenDeployment extends Disposable {
  readonly folder: string;
  readonly regions: string;
  readonly identityFile: string;
  /** As the person who has the identity. */
  readonly deployment: Deployment;
  /** As somebody else: with another identity, or none. */
  as(environment: NodeJS.ProcessEnv): Deployment;
  /** Path in the folder `keys`. */
  key(name: string): string;
}

export async function givenDeployment(): Promise<GivenDeployment> {
  const root = mkdtempSync(join(tmpdir(), "qalqan-keys-test-"));
  const folder = join(root, "deployment");
  const regions = join(root, "regions");
  mkdirSync(regions);
  for (const slug of ["astana", "almaty"])
    copyFileSync(join(regionsFolder, `${slug}.yaml`), join(regions, `${slug}.yaml`));
  const identityFile = join(root, "identity.txt");
  const as = (environment: NodeJS.ProcessEnv) => Deployment.of({ deployment: folder, regions }, environment);
  const deployment = as({ QALQAN_KEYS_IDENTITY_FILE: identityFile });
  await deployment.access.makeIdentity(identityFile);
  return {
    folder,
    regions,
    identityFile,
    deployment,
    as,
    key: (name) => join(folder, "keys", name),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Makes the keys of sites. */
export async function makeKeys({ deployment }: GivenDeployment, ...sites: readonly string[]): Promise<void> {
  for (const site of sites) await deployment.keyStore.make(deployment.keyOrder(site));
}

/** What a server or a client of Node takes: the certificate of a workload with its key. */
export function tlsOf(material: KeyMaterial, secret: string): { cert: string; key: string; ca: string } {
  return {
    cert: material.file(secret, "certificate"),
    key: material.file(secret, "key"),
    ca: material.file(secret, "ca"),
  };
}

export const textOf = (file: string): string => readFileSync(file, "utf8");
