import { z } from "zod";
import type { Manifest } from "#infra/kubernetes/manifest.ts";

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ */
const workloadSchema = z.object({
  kind: z.enum(["Deployment", "StatefulSet"]),
  metadata: z.object({ name: z.string(), generation: z.int() }),
  spec: z.object({ replicas: z.int() }),
  status: z.object({
    observedGeneration: z.int().default(0),
    replicas: z.int().default(0),
    readyReplicas: z.int().default(0),
    availableReplicas: z.int().default(0),
    updatedReplicas: z.int().default(0),
    currentRevision: z.string().optional(),
    updateRevision: z.string().optional(),
  }),
});

const eventSchema = z.object({
  type: z.string(),
  reason: z.string(),
  message: z.string(),
  involvedObject: z.object({ kind: z.string(), name: z.string() }),
});

/** A workload of which not every replica is ready in its newest version. */
interface Unready {
  readonly name: string;
  readonly why: string;
}

/** Those of the Deployments and StatefulSets that are not ready yet. */
export function unreadyOf(workloads: readonly Manifest[]): readonly Unready[] {
  return workloads.flatMap((manifest) => {
    const { kind, metadata, spec, status } = workloadSchema.parse(manifest);
    const title = `${kind} ${metadata.name}`;
    if (status.observedGeneration < metadata.generation) {
      return { name: metadata.name, why: `${title}: no controller has seen it yet` };
    }
    const isWhole = [status.replicas, status.readyReplicas, status.availableReplicas, status.updatedReplicas]
      // More than asked for: replicas of the version before are still there.
      .every((count) => count === spec.replicas);
    if (isWhole && status.currentRevision === status.updateRevision) return [];
    const { updatedReplicas, readyReplicas } = status;
    const why = `${title}: of ${spec.replicas} replicas ${updatedReplicas} are of this version, ${readyReplicas} are ready`;
    return { name: metadata.name, why };
  });
}

/** Why they are not ready, as the cluster's warnings say. */
export function explain(unready: readonly Unready[], events: readonly Manifest[]): string {
  const warnings = events.map((event) => eventSchema.parse(event)).filter(({ type }) => type === "Warning");
  return unready
    .map(({ name, why }) => {
      const lines = warnings
        // Pods, ReplicaSets and claims of a workload have its name in theirs.
        .filter(({ involvedObject }) => involvedObject.name.includes(name))
        .map(({ involvedObject, reason, message }) => `    ${reason} (${involvedObject.kind}): ${message}`);
      return [`  ${why}`, ...new Set(lines)].join("\n");
    })
    .join("\n");
}
