import type { Seal } from "#domain/seal.ts";
import { sql, type Transaction } from "#platform/database.ts";
import { sealMessage } from "#platform/seal-message.ts";
import type { Lane } from "#proto/names.ts";
import { Seal as SealMessage } from "#proto/qalqan/events/v1/sync.ts";
import type { Changes } from "../domain/changes.ts";
import { capitalEpoch } from "../epochs.ts";
import type { Lead } from "./lead.ts";
import type { Database } from "./load.ts";

/** A lane of a region, as far as its seals are verified. */
export interface VerifiedLane {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  /** Message that has the newest seal. */
  readonly sequence: number;
  /** Last message that it covers, its hash, and the key that signed it. */
  readonly last: number;
  readonly hash: Uint8Array;
  readonly keyId: string;
}

/** Keeps a seal of NATIONAL, in the transaction of the message that it stands in. */
export async function writeNationalSeal(
  transaction: Transaction<unknown>,
  { nationalSeal, batch }: Changes,
): Promise<void> {
  if (nationalSeal === undefined || batch === undefined) return;
  await keepNationalSeal(transaction, nationalSeal, batch.sequence);
}

/** @param sequence of the message of NATIONAL that the seal stands in */
export async function keepNationalSeal(
  transaction: Transaction<unknown>,
  seal: Seal,
  sequence: number,
): Promise<void> {
  const { epoch, first, last } = seal;
  const body = Buffer.from(SealMessage.encode(sealMessage(seal)).finish());
  await sql`
    insert into national_seal (epoch, first, last, sequence, body)
    values (${epoch}, ${first}, ${last}, ${sequence}, ${body}) on conflict do nothing
  `.execute(transaction);
}

/** The first message from a sequence on that is in the log of NATIONAL; undefined: none. */
export async function firstLogged(database: Database, from: number): Promise<number | undefined> {
  const { rows } = await sql<{ sequence: number }>`
    select sequence from national_log where epoch = ${capitalEpoch} and sequence >= ${from}
    order by sequence limit 1
  `.execute(database);
  return rows[0]?.sequence;
}

/** The newest seal of NATIONAL; undefined: there is none. */
export async function loadNationalSeal(database: Database, epoch: number): Promise<Seal | undefined> {
  const { rows } = await sql<{ body: Buffer }>`
    select body from national_seal where epoch = ${epoch} order by last desc limit 1
  `.execute(database);
  return rows[0] === undefined ? undefined : SealMessage.decode(rows[0].body);
}

export async function loadVerifiedLanes(database: Database): Promise<readonly VerifiedLane[]> {
  const { rows } = await sql<VerifiedLane>`
    select region, lane, epoch, sequence, last, hash, key_id as "keyId" from verified_lane
  `.execute(database);
  return rows;
}

/**
 * Keeps how far lanes are verified. After a crash the last second is verified again: nothing else waits for it.
 *
 * @throws LeaderReplaced
 */
export async function writeVerifiedLanes(
  database: Database,
  lead: Lead,
  lanes: readonly VerifiedLane[],
): Promise<void> {
  await lead.writeBeside(database, (transaction) =>
    Promise.all([
      sql`set local synchronous_commit = off`.execute(transaction),
      sql`
        insert into verified_lane (region, lane, epoch, sequence, last, hash, key_id)
        select * from unnest(
          ${lanes.map(({ region }) => region)}::text[],
          ${lanes.map(({ lane }) => lane)}::text[],
          ${lanes.map(({ epoch }) => epoch)}::integer[],
          ${lanes.map(({ sequence }) => sequence)}::bigint[],
          ${lanes.map(({ last }) => last)}::bigint[],
          ${lanes.map(({ hash }) => Buffer.from(hash))}::bytea[],
          ${lanes.map(({ keyId }) => keyId)}::text[]
        )
        on conflict (region, lane, epoch) do update set
          sequence = excluded.sequence, last = excluded.last, hash = excluded.hash, key_id = excluded.key_id
      `.execute(transaction),
    ]),
  );
}

/** What was said about broken seals since then, the newest last. */
export async function loadBrokenSeals(
  database: Database,
  sinceMs: number,
): Promise<readonly { readonly region: string; readonly detail: string; readonly atMs: number }[]> {
  const { rows } = await sql<{ region: string; detail: string; atMs: number }>`
    select region, detail, at_ms as "atMs" from audit
    where what = 'seal-broken' and at_ms >= ${sinceMs} order by number
  `.execute(database);
  return rows;
}
