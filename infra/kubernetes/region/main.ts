import * as pulumi from "@pulumi/pulumi";
import { RegionalStack } from "../components/site-stack.ts";
import { deployedNation, regionSite } from "../sites.ts";
import { deploymentOfStack } from "../stack-configuration.ts";

/** One region: the stack's name is its slug (`pulumi up --stack astana`). */
const nation = deployedNation(deploymentOfStack());
const site = await regionSite(nation, pulumi.getStack());
const stack = new RegionalStack(site.stack.site, { site });

export const endpoints = stack.endpoints;
export const blueprintHash = stack.blueprintHash;
export const release = stack.release;
