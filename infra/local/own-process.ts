import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Names one run of one process: a process id alone is given to somebody else
 * later, but never with the same start and in the same boot of the machine.
 */
export interface ProcessName {
  readonly pid: number;
  /** Boot of the machine and start of the process in it. */
  readonly started: string;
}

const bootFile = "/proc/sys/kernel/random/boot_id";

/** Names a running process; undefined when there is none with this id, or it is a zombie. */
export function nameProcess(pid: number): ProcessName | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // proc(5): after the command in parentheses come state (3rd field) and start time (22nd).
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { pid, started: `${readFileSync(bootFile, "utf8").trim()}/${fields[19] ?? ""}` };
  } catch {
    return undefined;
  }
}

export function isRunning(name: ProcessName): boolean {
  return nameProcess(name.pid)?.started === name.started;
}

/** Sends a signal; false when the process is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

const stillWaitMs = 5;
const stillWaitMsMax = 5_000;

/** Stops a process and everything below it, and waits until no thread of them runs any more. */
export async function makeStill(pid: number): Promise<void> {
  for (const endMs = Date.now() + stillWaitMsMax; ;) {
    // A child may have been made before its parent stood still: it is seen in the next round.
    const running = [pid, ...descendants(pid)].filter((each) => !isStill(each));
    if (running.length === 0) return;
    if (Date.now() > endMs) throw new Error(`processes ${running.join(", ")} do not stop`);
    for (const each of running) signalProcess(each, "SIGSTOP");
    await sleep(stillWaitMs);
  }
}

function isStill(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((task) => {
      const status = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
      // One that has ended stays a zombie for as long as its parent is still.
      return /^[TZX]/.test(status.slice(status.lastIndexOf(")") + 2));
    });
  } catch {
    // A process that is gone does nothing either.
    return true;
  }
}

/** Ids of all processes below a process, parents first. */
export function descendants(pid: number): readonly number[] {
  let children: number[] = [];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
      if (text !== "") children = children.concat(text.split(" ").map(Number));
    }
  } catch {
    return children;
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}
