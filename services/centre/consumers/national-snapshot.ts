import { sql } from "#platform/database.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { newestSnapshot, snapshotChunks } from "#platform/snapshots.ts";
import { firstEpoch, regionStream, regionSubject } from "#proto/names.ts";
import type { SnapshotChunk } from "#proto/qalqan/events/v1/snapshot.ts";
import { storeShared } from "../store/intelligence.ts";
import { applyOwn, applyRow, markDecided, rememberForeign } from "../store/national.ts";
import type { CentreTransaction } from "../store/schema.ts";
import type { SnapshotEffect } from "./inbox.ts";

const get = `$JS.API.DIRECT.GET.${regionStream.snapshot(firstEpoch)}`;

/**
 * What the nation decided while this service was away for longer than the
 * region's copy of NATIONAL reaches back, from the region's own snapshot:
 * decisions on own directives, protected numbers, the stop, intelligence for
 * all, and which directives of other regions wait for a second region. What is
 * not in it is over.
 *
 * @param after last message of NATIONAL that was applied
 * @param applied called after the commit with the messages that decided about own directives
 * @returns undefined: the region has no snapshot yet
 */
export async function nationalSnapshot(
  connection: NatsConnection,
  region: string,
  after: number,
  applied: (sequences: readonly number[]) => void,
): Promise<SnapshotEffect | undefined> {
  const snapshot = await newestSnapshot(connection, get, regionSubject.snapshotManifest(firstEpoch));
  if (snapshot === undefined) return undefined;
  const { sequence, atMs } = snapshot.manifest;
  const decided = new Map<number, number>();
  return {
    sequence,
    apply: async (transaction) => {
      await sql`delete from foreign_held`.execute(transaction);
      await sql`delete from protected_numbers`.execute(transaction);
      const shared: string[] = [];
      for await (const chunk of snapshotChunks(connection, get, snapshot, () => true)) {
        await applyDecisions(transaction, region, chunk, sequence, decided);
        for (const row of chunk.rows) await applyRow(transaction, row);
        for (const { intelligence } of chunk.intelligence) {
          if (intelligence === undefined) continue;
          await storeShared(transaction, region, intelligence);
          shared.push(intelligence.id);
        }
      }
      await withdrawOthers(transaction, region, shared, atMs);
      const marks = [...decided]
        .filter(([message]) => message > after)
        .map(([message, decidedAtMs]) => ({ sequence: message, atMs: decidedAtMs }));
      await markDecided(transaction, marks);
    },
    applied: () => applied([...decided.keys()].filter((message) => message > after)),
  };
}

async function applyDecisions(
  transaction: CentreTransaction,
  region: string,
  { decisions }: SnapshotChunk,
  sequence: number,
  decided: Map<number, number>,
): Promise<void> {
  const all = decisions.flatMap(({ decision, ...at }) =>
    decision === undefined ? [] : [{ decision, ...at }],
  );
  const own = all.filter(({ decision }) => decision.region === region);
  await applyOwn(transaction, own);
  for (const each of own) decided.set(each.sequence, each.atMs);
  const foreign = all.map(({ decision }) => decision).filter((decision) => decision.region !== region);
  await rememberForeign(transaction, foreign, sequence);
}

/** Pieces of other regions for all that the snapshot does not have were withdrawn, unless they just ended. */
async function withdrawOthers(
  transaction: CentreTransaction,
  region: string,
  shared: readonly string[],
  atMs: number,
): Promise<void> {
  await sql`
    update intelligence set withdrawn = true, withdrawn_at_ms = ${atMs}
    where region <> ${region} and audience = 'all' and not withdrawn and valid_until_ms > ${atMs}
      and id <> all(${shared}::text[])`.execute(transaction);
}
