import { CentralStack } from "../components/site-stack.ts";
import { capitalSite, deployedNation } from "../sites.ts";
import { deploymentOfStack } from "../stack-configuration.ts";

/** The capital: one stack, called `capital`. */
const nation = deployedNation(deploymentOfStack());
const site = await capitalSite(nation);
const stack = new CentralStack(site.stack.site, { site });

export const endpoints = stack.endpoints;
export const blueprintHash = stack.blueprintHash;
export const release = stack.release;
