import { z } from "zod";
import type { Json, Manifest } from "#infra/kubernetes/manifest.ts";

const claimSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  spec: z.object({
    accessModes: z.array(z.string()),
    resources: z.object({ requests: z.object({ storage: z.string() }) }),
    storageClassName: z.string().optional(),
    volumeMode: z.string().optional(),
  }),
});
type Claim = z.infer<typeof claimSchema>;

const statefulSetSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  spec: z.object({
    replicas: z.int().optional(),
    volumeClaimTemplates: z.array(claimSchema).default([]),
  }),
});

const autoscalerSchema = z.object({
  metadata: z.object({ namespace: z.string().optional() }),
  spec: z.object({
    maxReplicas: z.int(),
    scaleTargetRef: z.object({ kind: z.string(), name: z.string() }),
  }),
});

/** A volume for each claim that the manifests make, also for replicas that an autoscaler may add. */
export function volumesOf(manifests: readonly Manifest[]): readonly Manifest[] {
  const ofKind = <Schema extends z.ZodType>(kind: string, schema: Schema) =>
    manifests.filter((manifest) => manifest.kind === kind).map((manifest) => schema.parse(manifest));
  const autoscalers = ofKind("HorizontalPodAutoscaler", autoscalerSchema);

  const own = ofKind("PersistentVolumeClaim", claimSchema).map((claim) =>
    volume(claim, claim.metadata.namespace, claim.metadata.name),
  );
  const ofPods = ofKind("StatefulSet", statefulSetSchema).flatMap(({ metadata, spec }) => {
    const autoscaler = autoscalers.find(
      (candidate) =>
        candidate.metadata.namespace === metadata.namespace &&
        candidate.spec.scaleTargetRef.kind === "StatefulSet" &&
        candidate.spec.scaleTargetRef.name === metadata.name,
    );
    const replicas = Math.max(spec.replicas ?? 1, autoscaler?.spec.maxReplicas ?? 0);
    return spec.volumeClaimTemplates.flatMap((claim) =>
      Array.from({ length: replicas }, (_, ordinal) =>
        volume(claim, metadata.namespace, `${claim.metadata.name}-${metadata.name}-${ordinal}`),
      ),
    );
  });
  return [...own, ...ofPods];
}

/** Bound to its claim from the start, so that no other claim takes it. */
function volume({ spec }: Claim, namespace = "default", claimName: string): Manifest {
  const optional: Record<string, Json> = {};
  if (spec.storageClassName !== undefined) optional["storageClassName"] = spec.storageClassName;
  if (spec.volumeMode !== undefined) optional["volumeMode"] = spec.volumeMode;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: `${namespace}-${claimName}` },
    spec: {
      ...optional,
      capacity: { storage: spec.resources.requests.storage },
      accessModes: spec.accessModes,
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claimName },
      // Nothing mounts it: the nodes only pretend.
      hostPath: { path: `/volumes/${namespace}/${claimName}` },
    },
  };
}
