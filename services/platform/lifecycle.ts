import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "./log.ts";

/** After SIGTERM everything has this long to drain; the supervisor kills at 15 s. */
const stopWaitMs = 10_000;
/** One part may take so long: those that come after it are closed all the same. */
const closeWaitMs = 6_000;

/** What a running service is made of, closed in the reverse order of opening. */
export class Lifecycle {
  readonly #abort = new AbortController();
  readonly #closers: { name: string; close: () => unknown }[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Aborted when the service begins to stop. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Registers what must be closed; returns it. */
  use<Resource>(name: string, resource: Resource, close: (resource: Resource) => unknown): Resource {
    this.#closers.push({ name, close: () => close(resource) });
    return resource;
  }

  /**
   * Runs something that goes on until the signal: when it ends before that, or
   * throws, the process ends with an error, because a service without one of
   * its parts would look alive and do nothing.
   */
  run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    const running = work(this.signal).then(
      () => {
        if (!this.signal.aborted) this.#fail(name, new Error(`${name} ended by itself`));
      },
      (error: unknown) => {
        if (!this.signal.aborted) this.#fail(name, error);
      },
    );
    this.#closers.push({ name, close: () => running });
  }

  #fail(name: string, error: unknown): void {
    this.#log.fatal({ part: name, err: error }, "a part of the service failed; the process ends");
    this.#log.flush();
    process.exitCode = 1;
    setImmediate(() => process.exit(1));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const { name, close } of this.#closers.reverse()) {
      try {
        const ended = await Promise.race([
          Promise.resolve(close()).then(() => true),
          sleep(closeWaitMs, false, { ref: false }),
        ]);
        if (!ended) this.#log.warn({ part: name }, "did not close in time");
      } catch (error) {
        this.#log.warn({ part: name, err: error }, "did not close cleanly");
      }
    }
  }
}

/**
 * Runs a service until SIGTERM or SIGINT: start, then drain and close in
 * reverse order. An error on the way up, or of a part later, ends the process
 * with code 1 and what was seen.
 */
export async function runService(log: Log, start: (lifecycle: Lifecycle) => Promise<void>): Promise<void> {
  const lifecycle = new Lifecycle(log);
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    await Promise.race([lifecycle.stop(), sleep(stopWaitMs, undefined, { ref: false })]);
    log.info("stopped");
    process.exit(0);
  };
  // A rejection that nobody handles ends up here too: a service must not go on without knowing in what state.
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "something failed that nobody expected; the process ends");
    log.flush();
    process.exit(1);
  });
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
  try {
    await start(lifecycle);
    log.info("started");
  } catch (error) {
    // Asked to stop while it was still waiting for something.
    if (stopping) return;
    log.fatal({ err: error }, "could not start");
    process.exit(1);
  }
}

/** Waits, but not past the signal; true when the time has passed, false when aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** Resolves when the signal aborts, also when it has already. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Something to wait for: `notify` wakes one `wait`, also one that begins later. */
export class Wake {
  #notified = false;
  #resolve: (() => void) | undefined;

  notify(): void {
    this.#notified = true;
    this.#resolve?.();
  }

  /**
   * Resolves at the next notify, after `milliseconds`, or when aborted.
   *
   * @returns whether it was notified
   */
  async wait(milliseconds: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#notified && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => resolve();
      this.#resolve = wake;
      const timer = setTimeout(wake, milliseconds);
      signal.addEventListener("abort", wake, { once: true });
      await promise;
      clearTimeout(timer);
      // Left in place, the listeners would pile up on a signal that lives as long as the service.
      signal.removeEventListener("abort", wake);
    }
    const wasNotified = this.#notified;
    this.#resolve = undefined;
    this.#notified = false;
    return wasNotified;
  }
}
