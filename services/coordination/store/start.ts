import { sql } from "#platform/database.ts";
import { Receipt } from "#proto/qalqan/events/v1/events.ts";
import type { Lane } from "#proto/names.ts";
import { CapitalState, laneName } from "../domain/capital-state.ts";
import type { RegionState } from "../domain/nation.ts";
import { capitalEpoch } from "../epochs.ts";
import type { Database } from "./load.ts";

/** Digests of so many messages are read at start, to compare receipts with. */
const digestsRead = 2_000;

interface StateRow {
  readonly epoch: number;
  readonly sequence: number;
  readonly digest: Buffer;
  readonly introduced_sequence: number;
  readonly expiry_ms: number;
  readonly expiry_directive: string;
}

interface RegionRow {
  readonly region: string;
  readonly for_sequence: number;
  readonly told_sequence: number;
  readonly state: RegionState;
  readonly since_ms: number;
  readonly heard_at_ms: number;
}

/** Reads what the leader keeps in memory: nothing that grows with the number of directives. */
export async function loadState(database: Database): Promise<CapitalState> {
  const state = new CapitalState();
  const [national, trunks, numbers, stops, batches, regions, replicas, digests, again] = await Promise.all([
    sql<StateRow>`select * from national_state`.execute(database),
    sql<{ trunk: string; region: string; revision: number; direction: string }>`select * from trunk`.execute(
      database,
    ),
    sql<{ number: string; originates_from: string[]; holder: string; revision: number }>`
      select * from protected_number`.execute(database),
    sql<{ stopped: boolean; person: string; at_ms: number; revision: number }>`
      select stopped, person, at_ms, revision from national_stop`.execute(database),
    sql<{ batch: string }>`select batch from batch where revocation is not null`.execute(database),
    sql<RegionRow>`
      select r.*, coalesce((select max(moved_at_ms) from inbox i where i.region = r.region), 0) as heard_at_ms
      from region_state r`.execute(database),
    sql<{ region: string; heard_at_ms: number; receipt: Buffer }>`select * from replica`.execute(database),
    sql<{ sequence: number; digest: Buffer }>`
      select sequence, digest from national_log where epoch = ${capitalEpoch}
      order by sequence desc limit ${digestsRead}`.execute(database),
    sql<{ region: string; lane: Lane; epoch: number; read_to: number; sequence: number }>`
      select region, lane, epoch, read_to, sequence from inbox where read_to > sequence`.execute(database),
  ]);
  const [row] = national.rows;
  if (row === undefined) throw new Error("national_state has no row");
  if (row.epoch !== capitalEpoch)
    throw new Error(`PostgreSQL is in epoch ${row.epoch}, this release writes ${capitalEpoch}`);
  state.digests.add(0, new Uint8Array(32));
  for (const { sequence, digest } of digests.rows.toReversed()) state.digests.add(sequence, digest);
  state.moved(row.sequence, row.digest);
  state.heartbeat = row.sequence;
  state.introduced = row.introduced_sequence;
  state.expiry = { ms: row.expiry_ms, directive: row.expiry_directive };
  for (const { trunk, region, revision, direction } of trunks.rows)
    state.trunks.set(region, trunk, revision, direction);
  for (const { number, originates_from: originatesFrom, holder, revision } of numbers.rows) {
    state.protectedNumbers.set(number, { number, originatesFrom, holder, revision });
  }
  const [stop] = stops.rows;
  if (stop !== undefined) {
    state.stop = { stopped: stop.stopped, person: stop.person, atMs: stop.at_ms, revision: stop.revision };
  }
  for (const { batch } of batches.rows) state.revokedBatches.add(batch);
  for (const known of regions.rows) {
    const region = state.region(known.region, known.since_ms);
    region.state = known.state;
    region.sinceMs = known.since_ms;
    region.toldSequence = known.told_sequence;
    region.heardAtMs = known.heard_at_ms;
    state.forSequences.set(known.region, known.for_sequence);
  }
  for (const { region, heard_at_ms, receipt } of replicas.rows) {
    state.region(region, heard_at_ms).book.apply(Receipt.decode(receipt), heard_at_ms);
  }
  for (const { read_to: upTo, sequence: at, ...place } of again.rows)
    state.mustRead(laneName(place), upTo, at);
  return state;
}

/** Bytes of messages of NATIONAL as they were committed, from a sequence on. */
export async function readNationalLog(
  database: Database,
  from: number,
  limit: number,
): Promise<Uint8Array[]> {
  const { rows } = await sql<{ bytes: Buffer }>`
    select bytes from national_log where epoch = ${capitalEpoch} and sequence >= ${from} order by sequence limit ${limit}
  `.execute(database);
  return rows.map(({ bytes }) => bytes);
}

/** Bytes of messages of a region's FOR as they were committed, from a sequence on. */
export async function readRegionLog(
  database: Database,
  region: string,
  from: number,
  limit: number,
): Promise<Uint8Array[]> {
  const { rows } = await sql<{ bytes: Buffer }>`
    select bytes from region_log
    where region = ${region} and epoch = ${capitalEpoch} and sequence >= ${from} order by sequence limit ${limit}
  `.execute(database);
  return rows.map(({ bytes }) => bytes);
}
