import { sql } from "#platform/database.ts";
import type { Database } from "./load.ts";

/**
 * Targets that must be folded again, as a question whose answer may be long:
 * all members of a batch, everything about a trunk or a number, one target
 * that found no room. It is worked off in portions, each in a transaction that
 * also remembers how far it came.
 */
export interface RefoldJob {
  readonly kind: "batch" | "trunk" | "number" | "target";
  readonly key: string;
  readonly urgent: boolean;
  /** The last directive (or target) that was done; empty: none. */
  readonly cursor: string;
}

/** A portion of work and what is to be remembered when it is done. */
export interface Portion {
  readonly targets: string[];
  /** Jobs that are done with this portion. */
  readonly finished: { readonly kind: string; readonly key: string }[];
  /** The job that goes on after it. */
  readonly advanced: RefoldJob | undefined;
  /** Up to here ends of opinions are worked off. */
  readonly expiry: ExpiryCursor | undefined;
}

export interface ExpiryCursor {
  readonly ms: number;
  readonly directive: string;
}

/** The next portion of the jobs, urgent ones first; undefined when there is none. */
export async function nextPortion(database: Database, targetsMax: number): Promise<Portion | undefined> {
  const { rows } = await sql<RefoldJob>`
    select kind, key, urgent, cursor from refold_job order by urgent desc, position limit ${targetsMax}
  `.execute(database);
  const [job] = rows;
  if (job === undefined) return undefined;
  if (job.kind === "target") {
    const finished = rows.filter(({ kind }) => kind === "target").map(({ kind, key }) => ({ kind, key }));
    return { targets: finished.map(({ key }) => key), finished, advanced: undefined, expiry: undefined };
  }
  const members = await membersOf(database, job, targetsMax);
  const last = members.at(-1);
  const targets = [...new Set(members.map(({ target }) => target))];
  if (last === undefined || members.length < targetsMax) {
    return { targets, finished: [{ kind: job.kind, key: job.key }], advanced: undefined, expiry: undefined };
  }
  return { targets, finished: [], advanced: { ...job, cursor: last.directive }, expiry: undefined };
}

async function membersOf(
  database: Database,
  job: RefoldJob,
  limit: number,
): Promise<{ directive: string; target: string }[]> {
  const { key } = job;
  const about = {
    batch: sql`batch = ${key} and batch <> ''`,
    trunk: sql`trunk = ${key} and trunk is not null`,
    // The number alone, and the number on any trunk: `@` comes before `A`.
    number: sql`(target = ${key} or (target >= ${`${key}@`} and target < ${`${key}A`}))`,
    target: sql`target = ${key}`,
  }[job.kind];
  return database.transaction().execute(async (transaction) => {
    // In the order of an index, from the cursor on. Without statistics (the batch came in seconds ago)
    // PostgreSQL would rather read and sort all 76,000 members for each portion of 1,000.
    await sql`select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)`.execute(
      transaction,
    );
    const { rows } = await sql<{ directive: string; target: string }>`
      select directive, target from opinion where ${about} and directive > ${job.cursor}
      order by directive limit ${limit}
    `.execute(transaction);
    return rows;
  });
}

/** Targets of opinions that ended after the cursor and until now. */
export async function expiredPortion(
  database: Database,
  cursor: ExpiryCursor,
  nowMs: number,
  targetsMax: number,
): Promise<Portion | undefined> {
  const { rows } = await sql<{ directive: string; target: string; expires_at_ms: number }>`
    select directive, target, expires_at_ms from opinion
    where (expires_at_ms, directive) > (${cursor.ms}, ${cursor.directive}) and expires_at_ms <= ${nowMs}
    order by expires_at_ms, directive limit ${targetsMax}
  `.execute(database);
  const last = rows.at(-1);
  if (last === undefined) return undefined;
  return {
    targets: [...new Set(rows.map(({ target }) => target))],
    finished: [],
    advanced: undefined,
    expiry: { ms: last.expires_at_ms, directive: last.directive },
  };
}

/** When the next opinion ends; undefined: none will. */
export async function nextExpiry(database: Database, cursor: ExpiryCursor): Promise<number | undefined> {
  const { rows } = await sql<{ expires_at_ms: number }>`
    select expires_at_ms from opinion
    where (expires_at_ms, directive) > (${cursor.ms}, ${cursor.directive})
    order by expires_at_ms, directive limit 1
  `.execute(database);
  return rows[0]?.expires_at_ms;
}
