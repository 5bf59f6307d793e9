import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#platform/log.ts";

/** Answered calls that are not in the region's streams yet. */
export interface LateCalls {
  /** Not in LOCAL. */
  readonly calls: number;
  /** Not in a flush of the counters. */
  readonly counted: number;
}

/**
 * How many calls wait in memory while the region's NATS server is away. They
 * are not kept themselves: the figures lose them if the process is killed in
 * that time. But how many they were is said by the next start.
 */
export class LateCallsFile {
  readonly #path: string;
  readonly #log: Log;
  #written = "";

  constructor(folder: string, log: Log) {
    this.#path = join(folder, "late-calls.json");
    this.#log = log;
  }

  /** Names what the process before this one took with it; undefined: nothing beyond its last flush. */
  async report(): Promise<LateCalls | undefined> {
    try {
      const late = JSON.parse(await readFile(this.#path, "utf8")) as LateCalls;
      const { calls, counted } = late;
      this.#log.error(
        { event: "calls-lost-by-kill", calls, counted },
        "the process before this one ended while calls waited for the region's server",
      );
      await rm(this.#path, { force: true });
      return late;
    } catch (error) {
      // Nothing waited, or the kill came while the file was being written: its next writing replaces it.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT"))
        this.#log.error({ event: "late-calls-not-read", reason: String(error) }, "it is not known how many");
      return undefined;
    }
  }

  /** Notes how many wait; none: there is no file. */
  async write(late: LateCalls): Promise<void> {
    const text = late.calls + late.counted === 0 ? "" : JSON.stringify(late);
    if (text === this.#written) return;
    try {
      if (text === "") await rm(this.#path, { force: true });
      else await writeFile(this.#path, text, { mode: 0o600 });
      this.#written = text;
    } catch (error) {
      this.#log.warn(
        { event: "late-calls-not-kept", reason: String(error) },
        "a kill now would not be counted",
      );
    }
  }
}
