import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findOnPath } from "#infra/toolchain/tools.ts";

const retryMs = 50;

/** Flags of a program by name, without the dashes. */
export type Flags = Readonly<Record<string, string | number | boolean>>;

/** Programs of a test that all end with it, however it ends. */
export class Daemons {
  readonly #folder: string;
  readonly #running = new Map<string, ChildProcess>();
  readonly #killAll = () => {
    for (const child of this.#running.values()) child.kill("SIGKILL");
  };

  /** @param folder where their logs are written */
  constructor(folder: string) {
    this.#folder = folder;
    process.once("exit", this.#killAll);
  }

  start(name: string, file: string, flags: Flags): void {
    const parameters = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const log = openSync(this.#logFile(name), "w", 0o600);
    try {
      // Linux ends it when the test is killed; elsewhere it ends when the test ends by itself.
      const setpriv = findOnPath("setpriv");
      const command = setpriv === undefined ? [file] : [setpriv, "--pdeathsig", "KILL", file];
      const [first = file, ...others] = [...command, ...parameters];
      // A process group of its own: Ctrl-C in the terminal is for the test, which then kills it.
      const child = spawn(first, others, { stdio: ["ignore", log, log], detached: true });
      this.#running.set(name, child);
      child.once("error", () => undefined);
    } finally {
      closeSync(log);
    }
  }

  /**
   * Tries until it works.
   *
   * @throws Error when one of the programs has ended, or when the time is over; with the end of a log
   */
  async until(name: string, waitMs: number, attempt: () => Promise<unknown>): Promise<void> {
    const end = Date.now() + waitMs;
    for (;;) {
      let why: unknown;
      try {
        await attempt();
        return;
      } catch (error) {
        why = error;
      }
      this.#requireAllRunning();
      if (Date.now() > end) {
        throw new Error(`${name} is not ready after ${waitMs} ms: ${String(why)}\n${this.#lastWords(name)}`);
      }
      await sleep(retryMs);
    }
  }

  /** Kills all of them and waits until they are gone: nothing that they keep is needed again. */
  async stop(): Promise<void> {
    process.off("exit", this.#killAll);
    const running = [...this.#running.values()].filter((child) => !hasEnded(child));
    await Promise.all(
      running.map(
        (child) =>
          new Promise((resolve) => {
            child.once("exit", resolve);
            child.kill("SIGKILL");
          }),
      ),
    );
    this.#running.clear();
  }

  #requireAllRunning(): void {
    for (const [name, child] of this.#running) {
      if (hasEnded(child)) throw new Error(`${name} has ended:\n${this.#lastWords(name)}`);
    }
  }

  #logFile(name: string): string {
    return join(this.#folder, `${name}.log`);
  }

  #lastWords(name: string): string {
    return readFileSync(this.#logFile(name), "utf8").slice(-3_000);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
