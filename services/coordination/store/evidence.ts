import { sql } from "#platform/database.ts";
import { Seal } from "#proto/qalqan/events/v1/sync.ts";
import { capitalEpoch } from "../epochs.ts";
import type { Database } from "./load.ts";

/** Epochs in which each region was read, in order. */
export async function epochsOfRegions(database: Database): Promise<ReadonlyMap<string, readonly number[]>> {
  const { rows } = await sql<{ region: string; epochs: number[] }>`
    select region, array_agg(distinct epoch order by epoch) as epochs from inbox group by region
  `.execute(database);
  return new Map(rows.map(({ region, epochs }) => [region, epochs]));
}

/** Messages of NATIONAL in which an id stands somewhere: texts stand in them as they are. */
export async function nationalMessagesNaming(
  database: Database,
  id: string,
): Promise<readonly { readonly sequence: number; readonly bytes: Uint8Array }[]> {
  const { rows } = await sql<{ sequence: number; bytes: Buffer }>`
    select sequence, bytes from national_log
    where epoch = ${capitalEpoch} and position(convert_to(${id}, 'UTF8') in bytes) > 0 order by sequence
  `.execute(database);
  return rows;
}

export async function nationalMessageAt(
  database: Database,
  sequence: number,
): Promise<Uint8Array | undefined> {
  const { rows } = await sql<{ bytes: Buffer }>`
    select bytes from national_log where epoch = ${capitalEpoch} and sequence = ${sequence}
  `.execute(database);
  return rows[0]?.bytes;
}

/** Seals of NATIONAL that cover a message or later ones, in order. */
export async function nationalSealsFrom(
  database: Database,
  sequence: number,
  limit: number,
): Promise<readonly Seal[]> {
  const { rows } = await sql<{ body: Buffer }>`
    select body from national_seal where epoch = ${capitalEpoch} and last >= ${sequence}
    order by last limit ${limit}
  `.execute(database);
  return rows.map(({ body }) => Seal.decode(body));
}
