import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
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

/** Forgets what stood in a lane before the hub's first message. */
export async function trimMarks(
  database: Database,
  { region, lane, epoch }: { readonly region: string; readonly lane: Lane; readonly epoch: number },
  first: number,
): Promise<void> {
  await sql`
    delete from lane_mark
    where region = ${region} and lane = ${lane} and epoch = ${epoch} and sequence < ${first}`.execute(
    database,
  );
}

/** Lets go of messages that the hub does not have any more either. */
export async function trimNationalLog(
  database: Database,
  epoch: number,
  upTo: number,
  signal: AbortSignal,
): Promise<void> {
  await inPortions(signal, async () => {
    const { numAffectedRows } = await sql`
      delete from national_log where epoch = ${epoch} and sequence in (
        select sequence from national_log where epoch = ${epoch} and sequence <= ${upTo}
        order by sequence limit ${portionRows})`.execute(database);
    return Number(numAffectedRows ?? 0);
  });
}

/** The same for FOR of a region. */
export async function trimRegionLog(
  database: Database,
  region: string,
  epoch: number,
  upTo: number,
  signal: AbortSignal,
): Promise<void> {
  await inPortions(signal, async () => {
    const { numAffectedRows } = await sql`
      delete from region_log where region = ${region} and epoch = ${epoch} and sequence in (
        select sequence from region_log where region = ${region} and epoch = ${epoch} and sequence <= ${upTo}
        order by sequence limit ${portionRows})`.execute(database);
    return Number(numAffectedRows ?? 0);
  });
}

async function inPortions(signal: AbortSignal, remove: () => Promise<number>): Promise<void> {
  while (!signal.aborted && (await remove()) === portionRows);
}
