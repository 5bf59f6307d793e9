import type { Manifest } from "../kubernetes/manifest.ts";
import { Field } from "./field.ts";

/** What an object says about the pods that it makes, or is. */
export interface Pod {
  readonly manifest: Manifest;
  readonly metadata: Field;
  readonly spec: Field;
}

export interface Container {
  readonly field: Field;
  /** `runs` as long as the pod does; `before` ends before those start; `debug` is put into a pod that runs. */
  readonly role: "runs" | "before" | "debug";
}

/** Where the pod is in the objects that have one. */
const podPaths: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ["template"],
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** `undefined` for objects without pods. */
export function podOf(manifest: Manifest): Pod | undefined {
  if (!Object.hasOwn(podPaths, manifest.kind)) return undefined;
  const template = Field.of(manifest).at(...(podPaths[manifest.kind] ?? []));
  return { manifest, metadata: template.at("metadata"), spec: template.at("spec") };
}

export function containersOf({ spec }: Pod): readonly Container[] {
  return [
    ...spec.at("initContainers").items.map((field): Container => {
      // One that is restarted always runs beside the others (Kubernetes: sidecar containers).
      const role = field.at("restartPolicy").text === "Always" ? "runs" : "before";
      return { field, role };
    }),
    ...spec.at("containers").items.map((field): Container => ({ field, role: "runs" })),
    ...spec.at("ephemeralContainers").items.map((field): Container => ({ field, role: "debug" })),
  ];
}

/** A setting that a container may have, and otherwise takes from its pod. */
export function securitySetting({ field }: Container, { spec }: Pod, setting: string): Field {
  const own = field.at("securityContext", setting);
  const common = spec.at("securityContext", setting);
  return own.exists || !common.exists ? own : common;
}
