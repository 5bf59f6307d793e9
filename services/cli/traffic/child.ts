import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface TrafficChildPlan {
  readonly dataFolder: string;
  /** Of the nation at the busiest hour. */
  readonly callsPerSecond: number;
  /** Takes the lines of the simulator, its summary at the end among them. */
  readonly logFile: string;
  /** Empty: all that run. */
  readonly regions?: readonly string[];
}

const stopWaitMs = 5_000;

/** Switches that ask all the time, in a process of their own. */
export interface TrafficChild {
  /** Undefined while it runs. */
  readonly exitCode: number | null;
  stop(): Promise<void>;
}

/**
 * Starts the simulator beside a nation. It retries what is away by itself, and
 * ends with this process, whatever ends that: the channel between them tells.
 */
export function startTraffic({
  dataFolder,
  callsPerSecond,
  logFile,
  regions = [],
}: TrafficChildPlan): TrafficChild {
  const main = join(import.meta.dirname, "..", "main.ts");
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(
    process.execPath,
    [
      ...[main, "traffic", "--data", dataFolder, "--calls-per-second", String(callsPerSecond)],
      ...(regions.length === 0 ? [] : ["--regions", regions.join(",")]),
    ],
    // Detached: Ctrl-C on the terminal must reach it through `stop`, after screening has no more questions.
    { stdio: ["ignore", log, log, "ipc"], detached: true },
  );
  closeSync(log);
  child.on("error", () => undefined);
  // It is no reason for `start` to stay.
  child.unref();
  child.channel?.unref();
  return {
    get exitCode() {
      return child.exitCode;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const tooLate = sleep(stopWaitMs, "too late" as const, { ref: false });
      if ((await Promise.race([ended, tooLate])) === "too late") child.kill("SIGKILL");
    },
  };
}
