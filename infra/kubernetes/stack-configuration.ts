import * as pulumi from "@pulumi/pulumi";
import { join, resolve } from "node:path";
import { defaultDeploymentFolder, Deployment } from "../deployment/deployment.ts";
import { identityVariable } from "../keys/key-access.ts";

const checkoutFolder = join(import.meta.dirname, "..", "..");

/**
 * What a stack is told by its configuration (`pulumi config set qalqan:…`), all of it optional:
 *
 * - `deployment`, `regions`: folders, as `--deployment` and `--regions-folder` of the command line;
 *   relative to the checkout
 * - `keysIdentity` (a secret): the age identity that reads the keys; else the environment's
 */
export function deploymentOfStack(): Deployment {
  const config = new pulumi.Config("qalqan");
  // The engine runs a program in the program's own folder: what is relative is meant from the checkout.
  const folder = (key: string, variable: string, usual?: string): string | undefined => {
    const path = config.get(key) ?? process.env[variable] ?? usual;
    return path === undefined ? undefined : resolve(checkoutFolder, path);
  };
  // Read as it is, since the manifests are made of the keys; what is secret in them stays a secret.
  const identity = config.get("keysIdentity");
  const environment = identity === undefined ? process.env : { ...process.env, [identityVariable]: identity };
  const deployment = folder("deployment", "QALQAN_DEPLOYMENT", defaultDeploymentFolder);
  return Deployment.of({ deployment, regions: folder("regions", "QALQAN_REGIONS") }, environment);
}
