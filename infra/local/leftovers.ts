import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeWhole, type DataFolder } from "./data-folder.ts";
import { isRunning, nameProcess, signalProcess, type ProcessName } from "./own-process.ts";

const stopWaitMs = 10_000;

interface Kept extends ProcessName {
  readonly stopSignal: NodeJS.Signals;
}

/** Writes down a process of the run, so that the next run finds it should this one be killed. */
export function keepPid(folder: DataFolder, name: string, pid: number, stopSignal: NodeJS.Signals): void {
  const process = nameProcess(pid);
  if (process === undefined) return;
  writeWhole(join(folder.pids, `${name}.json`), JSON.stringify({ ...process, stopSignal } satisfies Kept));
}

export function forgetPid(folder: DataFolder, name: string): void {
  rmSync(join(folder.pids, `${name}.json`), { force: true });
}

/**
 * Stops what a runner that was killed has left behind. A process id that
 * belongs to somebody else by now is left alone.
 *
 * @returns names of the processes that were stopped
 */
export async function stopLeftovers(folder: DataFolder): Promise<readonly string[]> {
  const files = readdirSync(folder.pids).filter((file) => file.endsWith(".json"));
  const stopped = await Promise.all(
    files.map(async (file) => {
      const kept = JSON.parse(readFileSync(join(folder.pids, file), "utf8")) as Kept;
      const wasRunning = isRunning(kept);
      if (wasRunning) await stop(kept);
      rmSync(join(folder.pids, file), { force: true });
      return wasRunning ? [file.slice(0, -".json".length)] : [];
    }),
  );
  return stopped.flat();
}

async function stop(kept: Kept): Promise<void> {
  signalProcess(kept.pid, "SIGCONT");
  signalProcess(kept.pid, kept.stopSignal);
  const until = Date.now() + stopWaitMs;
  while (isRunning(kept) && Date.now() < until) await sleep(50);
  if (isRunning(kept)) signalProcess(kept.pid, "SIGKILL");
  while (isRunning(kept)) await sleep(20);
}
