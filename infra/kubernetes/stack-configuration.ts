import * as pulumi from "@pulumi/pulumi";
import { isAbsolute, join } from "node:path";
import { Deployment } from "../deployment/deployment.ts";
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
  const folder = (key: string): string | undefined => {
    const path = config.get(key);
    return path === undefined || isAbsolute(path) ? path : join(checkoutFolder, path);
  };
  // Read as it is, since the manifests are made of the keys; what is secret in them stays a secret.
  const identity = config.get("keysIdentity");
  const environment = identity === undefined ? process.env : { ...process.env, [identityVariable]: identity };
  return Deployment.of({ deployment: folder("deployment"), regions: folder("regions") }, environment);
}
