import { regionsFolder } from "#infra/blueprint/regions.ts";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { defaultDeploymentFolder, type Deployment } from "#infra/deployment/deployment.ts";
import { resolve } from "node:path";

/** A command that a person runs next, and what it is for. */
export interface NextStep {
  readonly command: string;
  readonly why: string;
}

const program = (site: string): string =>
  `pulumi -C infra/kubernetes/${site === capitalSite ? "capital" : "region"}`;

/** Rolls a site out by Pulumi. */
export const rollOut = (site: string, why: string): NextStep => ({
  command: `${program(site)} up --stack ${site}`,
  why,
});

/** Makes Pulumi know a new region. */
export const makeStack = (site: string): NextStep => ({
  command: `${program(site)} stack init ${site}`,
  why: "Pulumi's own record of the region, with its own secrets",
});

/** Takes down what a region runs. */
export const takeDown = (site: string, why: string): NextStep => ({
  command: `${program(site)} destroy --stack ${site}`,
  why,
});

/** Programs find the deployment by the environment: said only where they would look elsewhere. */
export function whereToLook({ folder, regionsFolder: regions }: Deployment): readonly NextStep[] {
  const told = (variable: string, value: string, usual: string): readonly NextStep[] =>
    value === usual || process.env[variable] !== undefined
      ? []
      : [{ command: `export ${variable}=${value}`, why: "so that the programs find it" }];
  return [
    ...told("QALQAN_DEPLOYMENT", folder, resolve(defaultDeploymentFolder)),
    ...told("QALQAN_REGIONS", regions, regionsFolder),
  ];
}

/** For a person: each command with its reason. */
export function shownSteps(steps: readonly NextStep[]): string[] {
  const width = Math.max(...steps.map(({ command }) => command.length));
  return ["next:", ...steps.map(({ command, why }) => `  ${command.padEnd(width)}  # ${why}`)];
}
