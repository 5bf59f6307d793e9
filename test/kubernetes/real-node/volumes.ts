import { join } from "node:path";
import { z } from "zod";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { volumesOf } from "../clusters/volumes.ts";
import { nodeName } from "./configuration.ts";

const volumeSpecSchema = z.looseObject({
  claimRef: z.looseObject({ namespace: z.string(), name: z.string() }),
  hostPath: z.unknown(),
});

/** A persistent volume of one claim, on a folder of the node. */
export interface LocalVolume {
  readonly folder: string;
  readonly manifest: Manifest;
}

/**
 * The volumes for all claims of the manifests, as `local` ones: unlike a
 * `hostPath`, such a one is given to the group of its pod (fsGroup).
 *
 * @param folder has a folder of every volume
 */
export function localVolumes(manifests: readonly Manifest[], folder: string): readonly LocalVolume[] {
  return volumesOf(manifests).map((volume) => {
    const { hostPath: _, ...spec } = volumeSpecSchema.parse(volume["spec"]);
    const path = join(folder, spec.claimRef.namespace, spec.claimRef.name);
    const isNode = { key: "kubernetes.io/hostname", operator: "In", values: [nodeName] };
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [isNode] }] } };
    return {
      folder: path,
      manifest: { ...volume, spec: { ...spec, local: { path }, nodeAffinity } } as Manifest,
    };
  });
}
