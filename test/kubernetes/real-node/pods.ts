import { z } from "zod";

const podSchema = z.object({
  metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z.object({
    phase: z.string().default(""),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    containerStatuses: z
      .array(z.object({ name: z.string(), containerID: z.string().optional() }))
      .default([]),
  }),
});

/** Names of the pods that are on their way to be ready, or to go. */
export function unreadyPods(pods: readonly unknown[]): readonly string[] {
  return pods
    .map((pod) => podSchema.parse(pod))
    .filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp !== undefined ||
        (status.phase !== "Succeeded" &&
          !status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True")),
    )
    .map(({ metadata }) => metadata.name);
}

/**
 * Id by which the container runtime knows a container of a pod.
 *
 * @throws Error when no such container has been started
 */
export function containerId(pod: unknown, container: string): string {
  const { metadata, status } = podSchema.parse(pod);
  const address = status.containerStatuses.find(({ name }) => name === container)?.containerID;
  if (address === undefined)
    throw new Error(`pod ${metadata.name} has no container ${container} that was started`);
  return address.slice("containerd://".length);
}
