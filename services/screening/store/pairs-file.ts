import { appendFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { localDay } from "#domain/day-keys.ts";
import type { Log } from "#platform/log.ts";
import type { FirstPair, FirstPairs } from "../domain/first-pairs.ts";

const fileName = (day: number) => `pairs-${day}`;
const filePattern = /^pairs-\d+$/;

/**
 * Keeps the pairs of today in a file a day, one a line, so that a replica that
 * was killed does not count a redial as a first call again. It is appended to
 * before the counters that say so go out, and left to the operating system: a
 * kill of the process loses nothing of it; a fall of the machine may.
 */
export class PairsFile {
  readonly #folder: string;
  readonly #pairs: FirstPairs;
  readonly #log: Log;
  /** Whose file is there; those of other days are gone. */
  #day = 0;

  constructor(folder: string, pairs: FirstPairs, log: Log) {
    this.#folder = folder;
    this.#pairs = pairs;
    this.#log = log;
  }

  /** Reads what was kept today. */
  async restore(nowMs: number): Promise<void> {
    const today = localDay(nowMs);
    await mkdir(this.#folder, { recursive: true });
    await this.#keepOnly(today);
    try {
      this.#pairs.restore(today, pairsOf(await readFile(join(this.#folder, fileName(today)), "utf8")));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }

  /** Appends what is new. Without it redials may count twice after a restart: named in the log, and no more. */
  async write(): Promise<void> {
    const { day, pairs } = this.#pairs.takeNew();
    if (pairs.length === 0) return;
    try {
      if (day !== this.#day) await this.#keepOnly(day);
      const lines = pairs.map(({ pair, call }) => `${pair} ${call}\n`).join("");
      await appendFile(join(this.#folder, fileName(day)), lines, { mode: 0o600 });
    } catch (error) {
      this.#log.error(
        { event: "pairs-not-kept", count: pairs.length, err: error },
        "redials may count again",
      );
    }
  }

  async #keepOnly(day: number): Promise<void> {
    for (const file of await readdir(this.#folder)) {
      if (filePattern.test(file) && file !== fileName(day))
        await rm(join(this.#folder, file), { force: true });
    }
    this.#day = day;
  }
}

/** The last line may have been cut off by a kill: it is no pair then. */
function* pairsOf(text: string): Generator<FirstPair> {
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [pair, call] = line.split(" ");
    if (pair !== undefined && call !== undefined) yield { pair, call };
  }
}
