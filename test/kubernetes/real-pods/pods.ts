import { z } from "zod";
import type { RealNode } from "../real-node/real-node.ts";

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), uid: z.string(), labels: z.record(z.string(), z.string()) }),
      status: z.object({
        podIP: z.string().default(""),
        containerStatuses: z.array(z.object({ name: z.string(), restartCount: z.int() })).default([]),
        initContainerStatuses: z.array(z.object({ name: z.string(), restartCount: z.int() })).default([]),
      }),
    }),
  ),
});

export interface RunningPod {
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly workload: string;
  /** Restarts by container. */
  readonly restarts: Readonly<Record<string, number>>;
}

/** Pods of a namespace, or of one workload of it, by name. */
export async function podsOf(
  node: RealNode,
  namespace: string,
  workload?: string,
): Promise<readonly RunningPod[]> {
  const text = await node.kubectl(["get", "pods", `--namespace=${namespace}`, "--output=json"]);
  return podsSchema
    .parse(JSON.parse(text))
    .items.map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      address: status.podIP,
      workload: metadata.labels["app.kubernetes.io/name"] ?? "",
      restarts: Object.fromEntries(
        [...status.initContainerStatuses, ...status.containerStatuses].map(({ name, restartCount }) => [
          name,
          restartCount,
        ]),
      ),
    }))
    .filter((pod) => workload === undefined || pod.workload === workload);
}

/** `pod/container` of those that were started more than once. */
export function restarted(pods: readonly RunningPod[]): readonly string[] {
  return pods.flatMap(({ name, restarts }) =>
    Object.entries(restarts)
      .filter(([, count]) => count > 0)
      .map(([container, count]) => `${name}/${container}: ${count}`),
  );
}
