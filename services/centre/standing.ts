import { Refusal } from "#domain/refusal.ts";
import { sql } from "#platform/database.ts";
import { takeBackWaitMs } from "./config.ts";
import type { CentreDatabase, CentreTransaction } from "./store/schema.ts";

/** What only a database that lacks nothing can say: what it may yet take back changes the answer. */
const saidOfWhatIsKnown: readonly string[] = ["not-found", "conflict"];

/**
 * Whether the database holds everything that this centre ever said in its
 * lanes. Each start of PostgreSQL may have been with the files of an older copy;
 * nothing that such a database lacks is refused for good before its lanes have
 * been read again.
 */
export class Standing {
  readonly #database: CentreDatabase;
  /** The start of PostgreSQL after which the lanes were last read into it; empty: not yet. */
  #run = "";
  /** By performance.now(). */
  #standsFromMs = 0;

  constructor(database: CentreDatabase) {
    this.#database = database;
  }

  /** The lanes' events have been taken back into the database as it runs since that start. */
  tookBack(run: string): void {
    if (run === this.#run) return;
    // The lanes may have come back older too, and are then filled up from the hub first.
    if (this.#run !== "") this.#standsFromMs = performance.now() + takeBackWaitMs;
    this.#run = run;
  }

  /**
   * Answers what `work` answers, and refuses nothing for good that the database
   * may only have lost.
   *
   * @throws Refusal `unavailable` instead of `not-found` and `conflict` at such a time
   */
  async answer<Result>(work: () => Promise<Result> | Result): Promise<Result> {
    const stoodBefore = this.#stands ? this.#run : undefined;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal) || !saidOfWhatIsKnown.includes(error.code)) throw error;
      if (stoodBefore !== undefined && stoodBefore === (await runOf(this.#database))) throw error;
      throw new Refusal({
        code: "unavailable",
        field: error.field,
        value: error.value,
        message: "this centre is taking back what its database lost",
        remedy: "try again in a few seconds; the same request may be repeated without harm",
      });
    }
  }

  get #stands(): boolean {
    return this.#run !== "" && performance.now() >= this.#standsFromMs;
  }
}

/** Names the stretch of time since PostgreSQL was started last: files change hands only between two of them. */
export async function runOf(database: CentreDatabase | CentreTransaction): Promise<string> {
  const { rows } = await sql<{ run: string }>`select pg_postmaster_start_time()::text as run`.execute(
    database,
  );
  return rows[0]?.run ?? "";
}
