import type { ChildProcess } from "node:child_process";

/** How soon a process that ended by itself is started again (ms). */
const againAfterMs = 200;

/** A process of the test that can be killed and started again with the same command. */
export class Restartable {
  readonly #start: () => ChildProcess;
  readonly #isSupervised: boolean;
  #process: ChildProcess | undefined;

  /**
   * @param isSupervised it is started again when it ends by itself, as a supervisor does: PostgreSQL does not
   *   start while processes of a killed one are still there
   */
  constructor(start: () => ChildProcess, isSupervised = false) {
    this.#start = start;
    this.#isSupervised = isSupervised;
  }

  start(): void {
    const started = this.#start();
    this.#process = started;
    if (!this.#isSupervised) return;
    const again = () => {
      if (this.#process === started) this.start();
    };
    started.once("exit", () => setTimeout(again, againAfterMs).unref());
  }

  /** Of the running process; 0: there is none. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Sends the signal and waits until the process is gone; its exit code, or -1 after a kill. */
  async stop(signal: NodeJS.Signals): Promise<number> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return 0;
    if (running.exitCode !== null) return running.exitCode;
    return new Promise((resolve) => {
      running.once("exit", (code) => resolve(code ?? -1));
      running.kill(signal);
    });
  }

  /** kill -9, then the same again. */
  async killAndRestart(): Promise<void> {
    await this.stop("SIGKILL");
    this.start();
  }
}
