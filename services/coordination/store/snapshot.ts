import type { Entry } from "#domain/national-rows.ts";
import { sql, type Transaction } from "#platform/database.ts";
import { Intelligence, type NationalRow } from "#proto/qalqan/events/v1/events.ts";
import type { DecisionAt } from "#proto/qalqan/events/v1/snapshot.ts";
import { words, type Database } from "./load.ts";

/** Rows read from PostgreSQL at once. */
const fetchedRows = 1_000;

/** The moment that a snapshot is true for. */
export interface SnapshotMoment {
  readonly epoch: number;
  readonly sequence: number;
  readonly digest: Uint8Array;
}

/**
 * Reads in one transaction that sees the same moment from its first statement
 * to its last, while the leader goes on writing.
 */
export async function atOneMoment<Result>(
  database: Database,
  read: (transaction: Transaction<unknown>, moment: SnapshotMoment) => Promise<Result>,
): Promise<Result> {
  return database
    .transaction()
    .setIsolationLevel("repeatable read")
    .setAccessMode("read only")
    .execute(async (transaction) => {
      const { rows } = await sql<SnapshotMoment>`
        select epoch, sequence, digest from national_state`.execute(transaction);
      const [moment] = rows;
      if (moment === undefined) throw new Error("national_state has no row");
      return read(transaction, moment);
    });
}

/** Every row of the national table. */
export async function* nationalRows(transaction: Transaction<unknown>): AsyncGenerator<NationalRow[]> {
  const entries = sql<{ entries: Partial<Record<string, Entry>> }>`
    select memory -> 'entries' as entries from folded where memory ->> 'entries' <> '{}'`;
  for await (const rows of fetched<{ entries: Partial<Record<string, Entry>> }>(transaction, entries)) {
    yield rows.flatMap((row) =>
      Object.values(row.entries).flatMap((value) =>
        value === undefined ? [] : [{ row: { $case: "entry" as const, value } }],
      ),
    );
  }
  const numbers = sql`select number, originates_from, holder, revision from protected_number`;
  for await (const rows of fetched<ProtectedRow>(transaction, numbers)) {
    yield rows.map(({ number, originates_from: originatesFrom, holder, revision }) => ({
      row: { $case: "protectedNumber" as const, value: { number, originatesFrom, holder, revision } },
    }));
  }
  const { rows } = await sql<StopRow>`select stopped, person, at_ms, revision from national_stop`.execute(
    transaction,
  );
  yield rows.map(({ stopped, person, at_ms: atMs, revision }) => ({
    row: { $case: "stop" as const, value: { stopped, person, atMs, revision } },
  }));
}

interface ProtectedRow {
  readonly number: string;
  readonly originates_from: string[];
  readonly holder: string;
  readonly revision: number;
}

interface StopRow {
  readonly stopped: boolean;
  readonly person: string;
  readonly at_ms: number;
  readonly revision: number;
}

interface DecisionRow {
  readonly region: string;
  readonly directive: string;
  readonly revision: number;
  readonly decision: string;
  readonly reason: string;
  readonly missing: string;
  readonly sequence: number;
  readonly at_ms: number;
}

/** The decision on every opinion that has not ended, region by region: ids begin with the region. */
export async function* liveDecisions(
  transaction: Transaction<unknown>,
  nowMs: number,
): AsyncGenerator<DecisionAt[]> {
  // Both tables in the order of their keys, and never a sort of a million rows.
  await sql`set local enable_sort = off`.execute(transaction);
  await sql`set local enable_hashjoin = off`.execute(transaction);
  const decisions = sql`
    select d.region, d.directive, d.revision, d.decision, d.reason, d.missing, d.sequence, d.at_ms
    from decision d join opinion o using (directive)
    where o.expires_at_ms > ${sql.lit(nowMs)} order by directive`;
  for await (const rows of fetched<DecisionRow>(transaction, decisions)) {
    yield rows.map(({ at_ms: atMs, sequence, missing, ...decision }) => ({
      decision: { ...decision, missing: words(missing) },
      sequence,
      atMs,
    }));
  }
}

export async function revokedBatches(transaction: Transaction<unknown>): Promise<string[]> {
  const { rows } = await sql<{ batch: string }>`
    select batch from batch where revocation is not null order by batch`.execute(transaction);
  return rows.map(({ batch }) => batch);
}

/** Intelligence for all that is neither withdrawn nor over. */
export async function* liveIntelligence(
  transaction: Transaction<unknown>,
  nowMs: number,
): AsyncGenerator<Intelligence[]> {
  const pieces = sql`
    select body from intelligence where not withdrawn and body is not null and audience = 'all' order by id`;
  for await (const rows of fetched<{ body: Buffer }>(transaction, pieces)) {
    yield rows
      .map(({ body }) => Intelligence.decode(body))
      .filter(({ validUntilMs }) => validUntilMs > nowMs);
  }
}

/** The answer to a question, so many rows at a time. */
async function* fetched<Row>(
  transaction: Transaction<unknown>,
  question: ReturnType<typeof sql>,
): AsyncGenerator<Row[]> {
  await sql`declare snapshot no scroll cursor for ${question}`.execute(transaction);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.lit(fetchedRows)} from snapshot`.execute(transaction);
    if (rows.length === 0) break;
    yield rows;
  }
  await sql`close snapshot`.execute(transaction);
}
