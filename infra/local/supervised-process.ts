import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SiteName, Workload } from "../blueprint/stack.ts";
import { findOnPath } from "../toolchain/tools.ts";
import type { DataFolder } from "./data-folder.ts";
import { LocalRunError } from "./errors.ts";
import type { Instance } from "./instances.ts";
import type { Launch } from "./launch.ts";
import { forgetPid, keepPid } from "./leftovers.ts";
import type { Limit } from "./limit.ts";
import { reasonIn, sizeOf, tailOf } from "./logs.ts";
import { descendants, makeStill, signalProcess } from "./own-process.ts";

export type ProcessState =
  "starting" | "ready" | "unready" | "restarting" | "paused" | "stopping" | "stopped";

/** One process as the outside sees it. */
export interface ProcessStatus {
  readonly region: SiteName;
  /** Name of the process: that of its workload, with a number where there are several. */
  readonly service: string;
  readonly state: ProcessState;
  readonly sinceMs: number;
  readonly pid: number | null;
  /** How often it was started again after it had ended by itself. */
  readonly restarts: number;
  /** Why it is not ready, in its own words. */
  readonly why: string;
}

const restartWaitMsMin = 200;
const restartWaitMsMax = 10_000;
/** After so long a run the next death is taken for a new trouble. */
const steadyRunMs = 30_000;
/** So many failed starts in a row, before it was ever ready, and the start of the nation has failed. */
const failedStartsMax = 6;
const probeWaitMs = 150;
const readyWaitMs = 20_000;
const steadyProbeMs = 5_000;
/** A start keeps its place in the queue for so long at most: it may wait for another that has none yet. */
const startPlaceMs = 5_000;

/** Keeps one process of a stack running until it is stopped. */
export class SupervisedProcess {
  readonly name: string;
  readonly workload: Workload;
  readonly site: SiteName;
  readonly #launch: Launch;
  readonly #folder: DataFolder;
  readonly #starts: Limit;
  readonly #onChange: (status: ProcessStatus) => void;
  #state: ProcessState = "stopped";
  #sinceMs = Date.now();
  #why = "";
  #restarts = 0;
  #failures = 0;
  #child: ChildProcess | undefined;
  #run: Promise<void> | undefined;
  #abort = new AbortController();
  /** Aborted when the next probe must not wait its turn. */
  #probeNow = new AbortController();
  /** Its store is being copied: it must neither end nor start meanwhile. */
  #isHeldStill = false;
  #wasReady = Promise.withResolvers<void>();

  constructor(options: {
    readonly site: SiteName;
    readonly instance: Instance;
    readonly launch: Launch;
    readonly folder: DataFolder;
    readonly starts: Limit;
    readonly onChange: (status: ProcessStatus) => void;
  }) {
    this.site = options.site;
    this.name = options.instance.name;
    this.workload = options.instance.workload;
    this.#launch = options.launch;
    this.#folder = options.folder;
    this.#starts = options.starts;
    this.#onChange = options.onChange;
    // Whoever waits for it gets the failure; nobody has to.
    this.#wasReady.promise.catch(() => undefined);
  }

  /** Resolves when the process is ready for the first time; rejects when its start failed too often. */
  get ready(): Promise<void> {
    return this.#wasReady.promise;
  }

  get status(): ProcessStatus {
    return {
      region: this.site,
      service: this.name,
      state: this.#state,
      sinceMs: this.#sinceMs,
      pid: this.#child?.pid ?? null,
      restarts: this.#restarts,
      why: this.#why,
    };
  }

  /** Starts it, and from then on again whenever it ends; nothing happens when it is running. */
  start(): void {
    if (this.#run !== undefined) return;
    this.#abort = new AbortController();
    this.#failures = 0;
    this.#run = this.#keepRunning(this.#abort.signal).finally(() => {
      this.#run = undefined;
      this.#change("stopped", "");
    });
  }

  /** Ends it in order, and by force when it takes longer than its time; it stays ended. */
  async stop(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#abort.abort();
    this.#wasReady.reject(this.#failed("it was stopped before it was ready"));
    const child = this.#child;
    if (child?.pid === undefined) return run;
    if (this.#state === "paused") this.#signalAll("SIGCONT");
    this.#change("stopping", "");
    child.kill(this.workload.stopSignal);
    const force = setTimeout(() => child.kill("SIGKILL"), this.workload.stopWaitMs);
    await run;
    clearTimeout(force);
  }

  /** `kill -9`; it is started again after a moment. @throws LocalRunError `wrong-state` */
  kill(): void {
    this.#requireChild().kill("SIGKILL");
  }

  /** Sends a signal to the process itself, such as SIGHUP. @throws LocalRunError `wrong-state` */
  signal(signal: NodeJS.Signals): void {
    this.#requireChild().kill(signal);
  }

  /** Freezes it with all its children. @throws LocalRunError `wrong-state` */
  pause(): void {
    this.#requireChild();
    this.#signalAll("SIGSTOP");
    this.#change("paused", "");
  }

  /** Lets a paused one go on. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#signalAll("SIGCONT");
    this.#change("unready", "was paused");
    this.#probeNow.abort();
    this.#probeNow = new AbortController();
  }

  /**
   * Does something while the process, with all its children, is still: nothing
   * of its storage changes. One that is stopped is still anyway.
   *
   * @throws LocalRunError `wrong-state` while it is being started again
   */
  async whileStill(work: () => Promise<void>): Promise<void> {
    const pid = this.#state === "stopped" ? undefined : this.#requireChild().pid;
    const isOurs = pid !== undefined && this.#state !== "paused";
    this.#isHeldStill = true;
    try {
      if (pid !== undefined) await makeStill(pid);
      await work();
    } finally {
      this.#isHeldStill = false;
      if (isOurs) this.#signalAll("SIGCONT");
    }
  }

  /** Resolves when it is ready, or after a while. */
  async untilReady(): Promise<void> {
    const endMs = Date.now() + readyWaitMs;
    while (this.#state !== "ready" && Date.now() < endMs) await sleep(probeWaitMs);
  }

  #requireChild(): ChildProcess {
    if (!this.#isHeldStill && this.#child?.pid !== undefined && this.#child.exitCode === null)
      return this.#child;
    throw new LocalRunError({
      code: "wrong-state",
      field: "service",
      value: `${this.site}/${this.name}`,
      message: `${this.site}/${this.name} is ${this.#state}: it has no process now`,
      remedy: "wait until `qalqan status` shows it ready",
    });
  }

  /** The process first when it is frozen, so that it starts no child that is missed; last when it goes on. */
  #signalAll(signal: "SIGSTOP" | "SIGCONT"): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    if (signal === "SIGSTOP") signalProcess(pid, signal);
    for (const child of descendants(pid)) signalProcess(child, signal);
    if (signal === "SIGCONT") signalProcess(pid, signal);
  }

  #change(state: ProcessState, why: string): void {
    if (state === this.#state && why === this.#why) return;
    if (state !== this.#state) this.#sinceMs = Date.now();
    this.#state = state;
    this.#why = why;
    this.#onChange(this.status);
  }

  async #keepRunning(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAtMs = Date.now();
      const why = await this.#runOnce(signal).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (signal.aborted) return;
      if (Date.now() - startedAtMs >= steadyRunMs) this.#failures = 0;
      const waitMs = Math.min(restartWaitMsMin * 2 ** this.#failures, restartWaitMsMax);
      this.#failures += 1;
      this.#restarts += 1;
      this.#change("restarting", why);
      if (this.#failures >= failedStartsMax) this.#wasReady.reject(this.#failed(why));
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #failed(why: string): LocalRunError {
    const name = `${this.site}/${this.name}`;
    return new LocalRunError({
      code: /no space left on device|ENOSPC/i.test(why) ? "disk-full" : "service-failed",
      field: "service",
      value: name,
      message: `${name} does not start: ${why}`,
      remedy: `see ${this.#logFile}`,
    });
  }

  /** One life of the process. @returns why it ended */
  async #runOnce(signal: AbortSignal): Promise<string> {
    const leave = await this.#starts.enter();
    const place = setTimeout(leave, startPlaceMs);
    try {
      if (signal.aborted) return "";
      this.#change("starting", "");
      await this.#launch.prepare();
      if (signal.aborted) return "";
      const logFrom = sizeOf(this.#logFile);
      const child = this.#spawn();
      const exit = exitOf(child);
      const ended = new AbortController();
      void exit.finally(() => ended.abort());
      const watching = this.#watch(ended.signal, leave);
      const how = await exit;
      await watching;
      this.#child = undefined;
      forgetPid(this.#folder, this.#pidName);
      return [how, reasonIn(tailOf(this.#logFile, logFrom))].filter((part) => part !== "").join(": ");
    } finally {
      clearTimeout(place);
      leave();
    }
  }

  /** Probes until the process has ended; gives its place in the queue back once it is ready. */
  async #watch(ended: AbortSignal, leave: () => void): Promise<void> {
    while (!ended.aborted) {
      if (this.#state === "starting" || this.#state === "unready" || this.#state === "ready") {
        const why = await this.#launch.probe().then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        );
        if (ended.aborted) return;
        this.#probed(why);
        if (why === undefined) leave();
      }
      const waitMs = this.#state === "ready" || this.#state === "paused" ? steadyProbeMs : probeWaitMs;
      const signal = AbortSignal.any([ended, this.#probeNow.signal]);
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #probed(why: string | undefined): void {
    // It may have been paused or stopped while the answer was on its way.
    if (this.#state !== "starting" && this.#state !== "unready" && this.#state !== "ready") return;
    if (why !== undefined) {
      this.#change(this.#state === "starting" ? "starting" : "unready", why);
      return;
    }
    this.#change("ready", "");
    this.#wasReady.resolve();
  }

  get #logFile(): string {
    return this.#folder.log(this.site, this.name);
  }
  get #pidName(): string {
    return `${this.site}-${this.name}`;
  }

  #spawn(): ChildProcess {
    const [file = "", ...parameters] = diesWithRunner(this.#launch.command, this.workload.stopSignal);
    const log = openSync(this.#logFile, "a", 0o600);
    try {
      const child = spawn(file, parameters, {
        cwd: this.#launch.workingFolder,
        env: { ...this.#launch.environment() },
        stdio: ["ignore", log, log],
        // A process group of its own: Ctrl-C in the terminal reaches the runner alone, which stops all in order.
        detached: true,
      });
      this.#child = child;
      if (child.pid !== undefined) keepPid(this.#folder, this.#pidName, child.pid, this.workload.stopSignal);
      return child;
    } finally {
      closeSync(log);
    }
  }
}

/** Where util-linux is there, Linux itself ends the process when the runner is gone, however it went. */
export function diesWithRunner(command: readonly string[], signal: NodeJS.Signals): readonly string[] {
  const setpriv = findOnPath("setpriv");
  if (setpriv === undefined) return command;
  // A new user namespace clears the setting: it is made again inside.
  const namespaced = command[0]?.endsWith("/unshare") === true;
  const head = namespaced ? command.slice(0, 4) : [];
  return [...head, setpriv, "--pdeathsig", signal.slice("SIG".length), ...command.slice(head.length)];
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `ended with code ${code}` : `ended by ${signal}`),
    );
  });
}
