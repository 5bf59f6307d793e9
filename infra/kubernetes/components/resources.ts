import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { titleOf, type Manifest } from "../manifest.ts";

type ResourceClass = new (
  name: string,
  args: pulumi.Inputs,
  options: pulumi.CustomResourceOptions,
) => pulumi.CustomResource;

const { core, apps, networking, policy, autoscaling, scheduling } = kubernetes;

/** Every kind of object that a stack of ours consists of. */
const classes: Readonly<Record<string, unknown>> = {
  Namespace: core.v1.Namespace,
  ConfigMap: core.v1.ConfigMap,
  Secret: core.v1.Secret,
  Service: core.v1.Service,
  ServiceAccount: core.v1.ServiceAccount,
  Deployment: apps.v1.Deployment,
  StatefulSet: apps.v1.StatefulSet,
  Ingress: networking.v1.Ingress,
  NetworkPolicy: networking.v1.NetworkPolicy,
  PodDisruptionBudget: policy.v1.PodDisruptionBudget,
  HorizontalPodAutoscaler: autoscaling.v2.HorizontalPodAutoscaler,
  PriorityClass: scheduling.v1.PriorityClass,
};

/** Made before everything else. */
const foundations: readonly string[] = ["Namespace", "PriorityClass"];
/**
 * Made last, when all that their pods read is there; Services beside them, for
 * the engine takes one as made only when pods answer behind it.
 */
const programs: readonly string[] = ["Deployment", "StatefulSet", "Service", "Ingress"];

/** Several claims of storage and images on a slow line: beyond this an `up` fails rather than waits. */
const readyWithin = "15m";

/**
 * Registers each manifest as the resource of its kind, in three steps:
 * foundations, then what is read, then the programs that read it.
 *
 * @returns the resources by title (`Service qalqan-<site>/centre`)
 */
export function registerAll(
  manifests: readonly Manifest[],
  options: pulumi.CustomResourceOptions,
): ReadonlyMap<string, pulumi.CustomResource> {
  const made = new Map<string, pulumi.CustomResource>();
  const steps = [
    manifests.filter(({ kind }) => foundations.includes(kind)),
    manifests.filter(({ kind }) => !foundations.includes(kind) && !programs.includes(kind)),
    manifests.filter(({ kind }) => programs.includes(kind)),
  ];
  for (const step of steps) {
    const dependsOn = [...made.values()];
    for (const manifest of step) {
      made.set(titleOf(manifest), register(manifest, { ...options, dependsOn }));
    }
  }
  return made;
}

function register(manifest: Manifest, options: pulumi.CustomResourceOptions): pulumi.CustomResource {
  const { kind, metadata } = manifest;
  const found = classes[kind];
  if (found === undefined) throw new RangeError(`no resource is known for ${kind}`);
  const Resource = found as ResourceClass;
  const customTimeouts = { create: readyWithin, update: readyWithin };
  // With its namespace a site's volumes would go: `destroy` ends what runs, and leaves what was written.
  const retainOnDelete = kind === "Namespace";
  return new Resource(`${kind}/${metadata.name}`, argumentsOf(manifest), {
    ...options,
    customTimeouts,
    retainOnDelete,
  });
}

function argumentsOf(manifest: Manifest): pulumi.Inputs {
  switch (manifest.kind) {
    // The stack's secrets provider encrypts them in its state, and nothing prints them.
    case "Secret":
      return { ...manifest, data: pulumi.secret(manifest["data"] as Readonly<Record<string, string>>) };
    // Whether the cluster has an ingress controller that answers is not this stack's business.
    case "Ingress":
      return notAwaited(manifest);
    // Its pods are awaited as what they are; a load balancer is, for its address is an output.
    case "Service":
      return isInside(manifest) ? notAwaited(manifest) : { ...manifest };
    default:
      return { ...manifest };
  }
}

const isInside = ({ spec }: Manifest): boolean => (spec as { readonly type?: string }).type === "ClusterIP";

function notAwaited(manifest: Manifest): pulumi.Inputs {
  const annotations = { ...manifest.metadata.annotations, "pulumi.com/skipAwait": "true" };
  return { ...manifest, metadata: { ...manifest.metadata, annotations } };
}
