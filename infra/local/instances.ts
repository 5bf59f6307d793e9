import type { Stack, Workload, WorkloadName } from "../blueprint/stack.ts";

/** One process of a workload on this machine. */
export interface Instance {
  /** As people name it (`kill capital/nats-1`): that of the workload, and with its number where there are several. */
  readonly name: string;
  readonly workload: Workload;
}

/** The local run has one process of each workload, but of the hub as many as it has nodes. */
export function instancesOf(workload: Workload, hubNodes: number): readonly Instance[] {
  const { program, name } = workload;
  const isHub = program.kind === "nats" && program.server.role === "hub";
  if (!isHub || hubNodes === 1) return [{ name, workload }];
  return Array.from({ length: hubNodes }, (_, ordinal) => ({ name: `${name}-${ordinal}`, workload }));
}

/** Names of the processes that carry a workload of a stack out. */
export function instanceNames(stack: Stack, workload: WorkloadName, hubNodes: number): readonly string[] {
  return stack.workloads
    .filter(({ name }) => name === workload)
    .flatMap((found) => instancesOf(found, hubNodes))
    .map(({ name }) => name);
}
