import { sql, type Transaction } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import type { Lead } from "./lead.ts";
import type { Database } from "./load.ts";

/** Rows that are deleted at once: the leader's steps go on in between. */
const portionRows = 1_000;

/** How far each lane of each region is applied; 0: nothing was read of it. */
export async function readLanes(
  database: Database,
): Promise<{ region: string; lane: Lane; epoch: number; sequence: number }[]> {
  const { rows } = await sql<{ region: string; lane: Lane; epoch: number; sequence: number }>`
    select region, lane, epoch, sequence from inbox`.execute(database);
  return rows;
}

/** Forgets what stood in a lane before the hub's first message. @throws LeaderReplaced */
export async function trimMarks(
  database: Database,
  lead: Lead,
  { region, lane, epoch }: { readonly region: string; readonly lane: Lane; readonly epoch: number },
  first: number,
): Promise<void> {
  await lead.writeBeside(database, (transaction) =>
    sql`
      delete from lane_mark
      where region = ${region} and lane = ${lane} and epoch = ${epoch} and sequence < ${first}
    `.execute(transaction),
  );
}

/**
 * Lets go of messages that the hub does not have any more either. A hub that was
 * put back while we stood still may be filled up with them by another leader.
 *
 * @throws LeaderReplaced
 */
export async function trimNationalLog(
  database: Database,
  lead: Lead,
  epoch: number,
  upTo: number,
  signal: AbortSignal,
): Promise<void> {
  await inPortions(database, lead, signal, (transaction) =>
    sql`
      delete from national_log where epoch = ${epoch} and sequence in (
        select sequence from national_log where epoch = ${epoch} and sequence <= ${upTo}
        order by sequence limit ${portionRows})`.execute(transaction),
  );
}

/** The same for FOR of a region. */
export async function trimRegionLog(
  database: Database,
  lead: Lead,
  region: string,
  epoch: number,
  upTo: number,
  signal: AbortSignal,
): Promise<void> {
  await inPortions(database, lead, signal, (transaction) =>
    sql`
      delete from region_log where region = ${region} and epoch = ${epoch} and sequence in (
        select sequence from region_log where region = ${region} and epoch = ${epoch} and sequence <= ${upTo}
        order by sequence limit ${portionRows})`.execute(transaction),
  );
}

async function inPortions(
  database: Database,
  lead: Lead,
  signal: AbortSignal,
  remove: (transaction: Transaction<unknown>) => Promise<{ readonly numAffectedRows?: bigint }>,
): Promise<void> {
  let removed = portionRows;
  while (!signal.aborted && removed === portionRows) {
    const { numAffectedRows } = await lead.writeBeside(database, remove);
    removed = Number(numAffectedRows ?? 0);
  }
}
