import { randomUUID } from "node:crypto";
import { sql, type Transaction } from "#platform/database.ts";
import { transact } from "#platform/transaction.ts";
import type { Database } from "./load.ts";

/** Another process has moved what this one was moving: it leads, and this one must end. */
export class LeaderReplaced extends Error {
  override readonly name = "LeaderReplaced";
}

/** What PostgreSQL's function `must` fails with (migrations.ts). */
const notAsLeft = "QL001";

/** @throws LeaderReplaced where a statement found something else than the leader left */
export async function replacedOr<Result>(written: Promise<Result>): Promise<Result> {
  try {
    return await written;
  } catch (error) {
    const isNotAsLeft = error instanceof Error && "code" in error && error.code === notAsLeft;
    throw isNotAsLeft ? new LeaderReplaced(error.message, { cause: error }) : error;
  }
}

/**
 * By what PostgreSQL knows the process that leads: a name that it gave itself
 * when it began to, and the start of the server, since the database may come
 * back from a copy that was made while the same process led. Then, too, its
 * watermarks and its sequence may be where it left them, and it was replaced.
 */
export class Lead {
  readonly #name: string;
  readonly #serverStarted: string;

  private constructor(name: string, serverStarted: string) {
    this.#name = name;
    this.#serverStarted = serverStarted;
  }

  /** Begins to lead: once it resolves, nothing is committed any more by whoever led before. */
  static async take(database: Database): Promise<Lead> {
    const name = randomUUID();
    const { rows } = await sql<{ started: string }>`
      update national_state set leader = ${name}
      returning extract(epoch from pg_postmaster_start_time())::text as started
    `.execute(database);
    const [row] = rows;
    if (row === undefined) throw new Error("national_state has no row");
    return new Lead(name, row.started);
  }

  /** Fails the transaction unless this process leads (replacedOr); whoever leads next waits until it is over. */
  async assertHeld(transaction: Transaction<unknown>): Promise<void> {
    await this.#mustLead(transaction, sql`for share`);
  }

  async #mustLead(transaction: Transaction<unknown>, locking: ReturnType<typeof sql>): Promise<void> {
    await sql`
      with held as (select sequence from national_state where ${this.#isOurs} ${locking})
      select must((select count(*) from held) = 1, ${leadsNoMore})
    `.execute(transaction);
  }

  /**
   * Writes what only the leader may, in one transaction; whoever leads next waits until it is over.
   *
   * @throws LeaderReplaced, and nothing is written
   */
  async write<Result>(
    database: Database,
    work: (transaction: Transaction<unknown>) => Promise<Result>,
  ): Promise<Result> {
    return replacedOr(
      transact(database, async (transaction) => {
        await this.assertHeld(transaction);
        return work(transaction);
      }),
    );
  }

  /**
   * The same for what may take long, and the leader's steps go on beside: it locks nothing of theirs.
   *
   * @param send sends all its statements at once: between them and the look who leads nobody can stand still
   * @throws LeaderReplaced, and nothing is written
   */
  async writeBeside<Result>(
    database: Database,
    send: (transaction: Transaction<unknown>) => Promise<Result>,
  ): Promise<Result> {
    return replacedOr(
      transact(database, async (transaction, commitsNow) => {
        const sent = Promise.all([send(transaction), this.#mustLead(transaction, sql``)]);
        commitsNow();
        const [result] = await sent;
        return result;
      }),
    );
  }

  /**
   * For what is done elsewhere than in PostgreSQL. A process that stands still right
   * after it does it late all the same: keep nothing in between.
   *
   * @throws LeaderReplaced
   */
  async assertStill(database: Database): Promise<void> {
    await this.#position(database);
  }

  /**
   * For what was decided from memory and changes nothing: true only while nobody else has led.
   *
   * @throws LeaderReplaced, also when the national sequence is not where we left it
   */
  async confirm(database: Database, sequence: number): Promise<void> {
    if ((await this.#position(database)) !== sequence)
      throw new LeaderReplaced(`NATIONAL is not at ${sequence} any more`);
  }

  async #position(database: Database): Promise<number> {
    const { rows } = await sql<{ sequence: number }>`
      select sequence from national_state where ${this.#isOurs}
    `.execute(database);
    const [row] = rows;
    if (row === undefined) throw new LeaderReplaced(leadsNoMore);
    return row.sequence;
  }

  get #isOurs(): ReturnType<typeof sql> {
    return sql`leader = ${this.#name}
      and extract(epoch from pg_postmaster_start_time())::text = ${this.#serverStarted}`;
  }
}

const leadsNoMore = "another process has begun to lead, or PostgreSQL was started again";
