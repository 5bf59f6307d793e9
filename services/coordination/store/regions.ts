import { sql } from "#platform/database.ts";
import { lanes, type Lane } from "#proto/names.ts";
import type { ReadUpTo } from "../domain/lane-end.ts";
import type { Lead } from "./lead.ts";
import type { Database } from "./load.ts";

/** A lane of a region in one epoch. */
export interface LanePlace {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
}

/** How far a lane of a region was read in an epoch. */
export interface Watermark extends LanePlace {
  readonly sequence: number;
  /** `leafHash` of the message there; null: it is not known. */
  readonly leaf: Buffer | null;
}

/** Makes rows for regions that are new. A leader that comes too late changes none that is there. */
export async function enrolRegions(
  database: Database,
  regions: readonly string[],
  nowMs: number,
): Promise<void> {
  await sql`
    insert into region_state (region, for_sequence, told_sequence, state, since_ms)
    select slug, 0, 0, 'cut-off', ${nowMs} from unnest(${regions}::text[]) slug on conflict do nothing
  `.execute(database);
}

/** The epochs of each region of which something was ever read, or is to be read again, in order. */
export async function usedEpochs(
  database: Database,
  regions: readonly string[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const { rows } = await sql<{ region: string; epochs: number[] }>`
    select region, array_agg(distinct epoch order by epoch) as epochs from inbox
    where (sequence > 0 or read_to > 0 or moved_at_ms > 0) and region = any(${regions}::text[]) group by region
  `.execute(database);
  return new Map(rows.map(({ region, epochs }) => [region, epochs]));
}

/** Makes rows for epochs that are new (late, it changes none that is there), and returns how far each lane was read in these epochs. */
export async function enrolEpochs(
  database: Database,
  region: string,
  epochs: readonly number[],
): Promise<Watermark[]> {
  await sql`
    insert into inbox (region, lane, epoch, sequence, moved_at_ms)
    select ${region}, lane, epoch, 0, 0
    from unnest(${[...epochs]}::integer[]) epoch, unnest(${[...lanes]}::text[]) lane
    on conflict do nothing
  `.execute(database);
  const { rows } = await sql<Watermark>`
    select region, lane, epoch, sequence, leaf from inbox
    where region = ${region} and epoch = any(${[...epochs]}::integer[])
    order by epoch, lane desc
  `.execute(database);
  return rows;
}

/** How far every lane was read of which something was read. */
export async function watermarks(database: Database): Promise<Watermark[]> {
  const { rows } = await sql<Watermark>`
    select region, lane, epoch, sequence, leaf from inbox where sequence > 0
  `.execute(database);
  return rows;
}

/** What stood in a lane at earlier messages, up to one: the newest first. */
export async function marksOf(
  database: Database,
  { region, lane, epoch }: LanePlace,
  upTo: number,
): Promise<{ readonly sequence: number; readonly leaf: Buffer }[]> {
  const { rows } = await sql<{ sequence: number; leaf: Buffer }>`
    select sequence, leaf from lane_mark
    where region = ${region} and lane = ${lane} and epoch = ${epoch} and sequence <= ${upTo}
    order by sequence desc
  `.execute(database);
  return rows;
}

/**
 * A lane is to be read again from a sequence on.
 *
 * @returns up to where it is to be read before anything is folded; 0: that was read, and taken in for good
 * @throws LeaderReplaced
 */
export async function resetWatermark(
  database: Database,
  lead: Lead,
  { region, lane, epoch }: LanePlace,
  { sequence, leaf }: ReadUpTo,
): Promise<number> {
  return lead.write(database, async (transaction) => {
    await sql`
      delete from lane_mark
      where region = ${region} and lane = ${lane} and epoch = ${epoch} and sequence > ${sequence}
    `.execute(transaction);
    const { rows } = await sql<{ read_to: number }>`
      update inbox set sequence = ${sequence}, leaf = ${leaf === undefined ? null : Buffer.from(leaf)}
      where region = ${region} and lane = ${lane} and epoch = ${epoch} and sequence > ${sequence}
      returning read_to
    `.execute(transaction);
    return rows[0]?.read_to ?? 0;
  });
}

/**
 * Lanes that were to be read again before anything is folded are waited for no more, by a later leader neither.
 *
 * @throws LeaderReplaced
 */
export async function waitForLanesNoMore(database: Database, lead: Lead): Promise<void> {
  await lead.write(database, (transaction) =>
    sql`update inbox set read_to = sequence where read_to > sequence`.execute(transaction),
  );
}
