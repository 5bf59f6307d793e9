import { readdirSync, readFileSync } from "node:fs";

/**
 * Kills the first process of a container, and by that all of it: it is found
 * from outside, where every process of the machine is seen, by its cgroup.
 *
 * @throws Error when there is none
 */
export function killFirstProcess(containerId: string): void {
  const pid = readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && isFirstProcess(entry, containerId));
  if (pid === undefined) throw new Error(`no process of container ${containerId} is running`);
  process.kill(Number(pid), "SIGKILL");
}

function isFirstProcess(pid: string, containerId: string): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId)) return false;
    // proc(5), NSpid: its ids in every namespace from ours inwards; the first process of a container is 1 there.
    return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // It has ended since the folder was read.
    return false;
  }
}
