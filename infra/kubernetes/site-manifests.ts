import { configurationManifests, hubAccountsManifests } from "./configuration.ts";
import type { Manifest } from "./manifest.ts";
import { namespaceOf, siteLabels } from "./names.ts";
import { policyManifests, serviceManifests } from "./network.ts";
import type { Site } from "./site.ts";
import { priorityManifest, workloadManifests } from "./workloads.ts";

/**
 * Every object of a site, in the order in which they can be made: what holds
 * the others first, then rules, then what is read, then who reads it.
 */
export function siteManifests(site: Site): readonly Manifest[] {
  const { workloads } = site.stack;
  return [
    namespaceManifest(site),
    priorityManifest(site),
    ...policyManifests(site),
    ...hubAccountsManifests(site),
    ...workloads.flatMap((workload) => configurationManifests(workload, site)),
    ...workloads.flatMap((workload) => serviceManifests(workload, site)),
    ...workloads.flatMap((workload) => workloadManifests(workload, site)),
  ];
}

/** Pods that could do harm to the machine are refused, warned of and written down (Pod Security Standards). */
function namespaceManifest({ stack, names }: Site): Manifest {
  const modes = ["enforce", "audit", "warn"];
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: namespaceOf(stack.site),
      labels: {
        ...siteLabels(stack.site),
        ...Object.fromEntries(
          modes.flatMap((mode) => [
            [`pod-security.kubernetes.io/${mode}`, "restricted"],
            [`pod-security.kubernetes.io/${mode}-version`, "latest"],
          ]),
        ),
      },
      annotations: Object.fromEntries(
        Object.entries(names).map(([language, name]) => [`qalqan.kz/name-${language}`, name]),
      ),
    },
  };
}
