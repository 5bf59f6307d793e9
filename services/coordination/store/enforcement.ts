import { sql, type Transaction } from "#platform/database.ts";
import type { Changes } from "../domain/changes.ts";
import type { Database } from "./load.ts";

/**
 * A decision whose enforcement the author's region is told of: on a directive
 * issued singly, or the last one on a batch (told under the id of the batch and
 * under that of the member, so that 76,000 members are not 1.5 million rows).
 */
export interface DecidedItem {
  readonly directive: string;
  readonly revision: number;
  /** The author's region. */
  readonly region: string;
  readonly sequence: number;
}

/**
 * Items decided by messages of NATIONAL after `from` and up to `to`, in the
 * order of their sequences.
 *
 * @returns the items, and up to which sequence they are complete
 */
export async function loadDecided(
  database: Database,
  from: number,
  to: number,
  limit: number,
): Promise<{ items: DecidedItem[]; completeTo: number }> {
  if (from >= to) return { items: [], completeTo: to };
  const { rows } = await sql<DecidedItem>`
    select directive, revision, region, sequence from (
      (select directive, revision, region, sequence from decision
        where single and sequence > ${from} and sequence <= ${to} order by sequence limit ${limit})
      union all
      (select batch, 0, region, last_sequence from batch
        where last_sequence > ${from} and last_sequence <= ${to} order by last_sequence limit ${limit})
      union all
      (select last_directive, last_revision, region, last_sequence from batch
        where last_sequence > ${from} and last_sequence <= ${to} order by last_sequence limit ${limit})
    ) decided order by sequence limit ${limit}
  `.execute(database);
  const last = rows.at(-1);
  if (rows.length < limit || last === undefined) return { items: rows, completeTo: to };
  // The last message may have more items than were read.
  return { items: rows.filter(({ sequence }) => sequence < last.sequence), completeTo: last.sequence - 1 };
}

/** The newest items after `from`, for a region that has just been cut off. */
export async function loadNewestDecided(
  database: Database,
  from: number,
  to: number,
  limit: number,
): Promise<DecidedItem[]> {
  const { rows } = await sql<DecidedItem>`
    select directive, revision, region, sequence from decision
    where single and sequence > ${from} and sequence <= ${to} order by sequence desc limit ${limit}
  `.execute(database);
  return rows;
}

/**
 * Since when each region enforces message `sequence` of NATIONAL; regions that
 * do not, or are not known to, are missing.
 */
export async function enforcedTimes(
  database: Database,
  sequences: readonly number[],
): Promise<Map<number, Map<string, number>>> {
  const { rows } = await sql<{ wanted: number; region: string; at_ms: number }>`
    select wanted, state.region, found.at_ms
    from unnest(${sequences}::bigint[]) wanted
    join region_state state on state.told_sequence >= wanted
    cross join lateral (
      select at_ms from enforced
      where enforced.region = state.region and enforced.sequence >= wanted order by enforced.sequence limit 1
    ) found
  `.execute(database);
  const times = new Map<number, Map<string, number>>();
  for (const { wanted, region, at_ms } of rows) {
    const ofSequence = times.get(wanted) ?? new Map<string, number>();
    times.set(wanted, ofSequence.set(region, at_ms));
  }
  return times;
}

/** What regions enforce since when, and how far their authors were told. */
export async function writeEnforced(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const { introduced, told, enforced } = changes;
  const writing: Promise<unknown>[] = [];
  if (introduced !== undefined) {
    const known = sql`update national_state set introduced_sequence = ${introduced}`;
    writing.push(known.execute(transaction));
  }
  if (told.length > 0) {
    const heard = sql`
      update region_state set told_sequence = told.sequence from unnest(
        ${told.map(({ region }) => region)}::text[], ${told.map(({ sequence }) => sequence)}::bigint[]
      ) told (region, sequence) where region_state.region = told.region
    `;
    writing.push(heard.execute(transaction));
  }
  if (enforced.length > 0) {
    const since = sql`
      insert into enforced (region, sequence, at_ms) select * from unnest(
        ${enforced.map(({ region }) => region)}::text[],
        ${enforced.map(({ sequence }) => sequence)}::bigint[],
        ${enforced.map(({ atMs }) => atMs)}::bigint[]
      ) on conflict do nothing
    `;
    writing.push(since.execute(transaction));
  }
  await Promise.all(writing);
}
