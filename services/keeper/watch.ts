import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { archiverLookMs, lookEveryMs } from "./config.ts";
import type { Database } from "./store/database.ts";

/** Asks the database again and again whether it answers, and whether its WAL is archived. */
export class DatabaseWatch {
  readonly #database: Database;
  readonly #log: Log;
  #answers = false;
  /** The segment that the server fails to archive; empty: none. */
  #failing = "";

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  get answers(): boolean {
    return this.#answers;
  }

  /** What is wrong with the archive; empty: nothing. */
  get warning(): string {
    return this.#failing === "" ? "" : `WAL segment ${this.#failing} cannot be archived`;
  }

  async run(signal: AbortSignal): Promise<void> {
    do {
      const answers = await this.#ask();
      if (answers !== this.#answers) {
        this.#log.info(
          { event: answers ? "database-answers" : "database-silent" },
          "the state of the database",
        );
      }
      this.#answers = answers;
    } while (await pause(lookEveryMs, signal));
  }

  /** A segment that is not archived stays with the database, whose disk would fill up in the end. */
  async runArchiver(signal: AbortSignal): Promise<void> {
    do {
      if (this.#answers) await this.#lookAtArchiver();
    } while (await pause(archiverLookMs, signal));
  }

  async #ask(): Promise<boolean> {
    try {
      await this.#database.ask();
      return true;
    } catch {
      return false;
    }
  }

  async #lookAtArchiver(): Promise<void> {
    try {
      const { failing } = await this.#database.archiver();
      if (failing !== "" && this.#failing === "") {
        this.#log.error({ event: "archive-failing", segment: failing }, "WAL cannot be archived");
      } else if (failing === "" && this.#failing !== "") {
        this.#log.info({ event: "archive-recovered" }, "WAL is archived again");
      }
      this.#failing = failing;
    } catch (error) {
      this.#log.info({ reason: String(error) }, "the archiver could not be looked at");
    }
  }
}
