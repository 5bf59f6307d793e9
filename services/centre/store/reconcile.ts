import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Lift } from "../domain/lift.ts";
import type { LaneEntry, OutboxEntry } from "../domain/reconcile.ts";
import type { CentreTransaction, Reader } from "./schema.ts";

/** A row that is known to be in its lane, and where. */
export interface RecordedRow extends OutboxEntry {
  readonly epoch: number;
  readonly sequence: number;
}

/**
 * The newest rows that are known to be in the lane together with all rows
 * before them, the newest first.
 *
 * @param most how many
 */
export async function readRecorded(
  database: Reader,
  lane: Lane,
  most: number,
): Promise<readonly RecordedRow[]> {
  const { rows } = await sql<RecordedRow>`
    select number, epoch, sequence, encode(sha256(bytes), 'hex') as content from outbox
    where lane = ${lane} and number < coalesce(
      (select min(number) from outbox where lane = ${lane} and sequence is null), 9223372036854775807)
    order by number desc limit ${most}`.execute(database);
  return rows;
}

/**
 * The last row whose place the lane no longer keeps; 0: it keeps all.
 *
 * @param kept what the lane keeps of each epoch; not empty
 */
export async function readTrimmed(
  database: Reader,
  lane: Lane,
  kept: readonly { readonly epoch: number; readonly first: number }[],
): Promise<number> {
  const { rows } = await sql<{ trimmed: number | null }>`
    select max(number) as trimmed from outbox
    left join unnest(${kept.map(({ epoch }) => epoch)}::integer[], ${kept.map(({ first }) => first)}::bigint[])
      as kept (epoch, first) on outbox.epoch = kept.epoch
    where lane = ${lane} and sequence is not null
      and case when kept.first is null then outbox.epoch < ${kept.at(-1)?.epoch ?? 0}
        else sequence < kept.first end`.execute(database);
  return rows[0]?.trimmed ?? 0;
}

/** Whether a row lacks its place although the lane has gone past its number. */
export async function hasLeftBehind(database: Reader, lane: Lane, laneNumber: number): Promise<boolean> {
  const row = await database
    .selectFrom("outbox")
    .select("number")
    .where("lane", "=", lane)
    .where("sequence", "is", null)
    .where("number", "<=", laneNumber)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Those of these events of the lane that have no row in the outbox. */
export async function readLacking<Known extends Pick<LaneEntry, "content">>(
  database: Reader,
  lane: Lane,
  events: readonly Known[],
): Promise<Known[]> {
  const contents = events.map(({ content }) => Buffer.from(content, "hex"));
  const { rows } = await sql<{ content: string }>`
    select encode(wanted.content, 'hex') as content
    from unnest(${contents}::bytea[]) as wanted (content)
    where not exists (select from outbox where lane = ${lane} and sha256(bytes) = wanted.content)`.execute(
    database,
  );
  const lacking = new Set(rows.map(({ content }) => content));
  return events.filter(({ content }) => lacking.has(content));
}

/** Whether one of these events of the lane has no row in the outbox. */
export async function lacksOne(
  database: Reader,
  lane: Lane,
  events: readonly Pick<LaneEntry, "content">[],
): Promise<boolean> {
  return (await readLacking(database, lane, events)).length > 0;
}

/** Keeps every command from committing until this transaction ends; the last number of each lane. */
export async function lockNumbers(transaction: CentreTransaction): Promise<Record<Lane, number>> {
  // The same order as in commands: the counters, then the audit's head.
  const { rows } = await sql<{ lane: Lane; last: number }>`
    select lane, last from outbox_counters order by lane desc for update`.execute(transaction);
  await sql`select number from audit_head for update`.execute(transaction);
  const last = (lane: Lane) => rows.find((row) => row.lane === lane)?.last ?? 0;
  return { urgent: last("urgent"), events: last("events") };
}

/** Rows after a number, and those that hold what one of the messages does, by number. */
export async function readEntries(
  transaction: CentreTransaction,
  lane: Lane,
  after: number,
  messages: readonly LaneEntry[],
): Promise<OutboxEntry[]> {
  const contents = messages.map(({ content }) => Buffer.from(content, "hex"));
  const { rows } = await sql<OutboxEntry>`
    select number, encode(sha256(bytes), 'hex') as content from outbox
    where lane = ${lane} and (number > ${after} or sha256(bytes) = any(${contents}::bytea[]))
    order by number`.execute(transaction);
  return rows;
}

/** A row that is to be sent, with its event. */
export interface MovedRow {
  readonly number: number;
  readonly event: Event;
}

/**
 * Gives rows that wait their numbers; the lane does not hold them, whatever was noted of them.
 *
 * @returns how many of them had another number, or a place in the lane
 */
export async function moveWaiting(
  transaction: CentreTransaction,
  lane: Lane,
  waiting: readonly { readonly from: number; readonly to: number }[],
): Promise<number> {
  const { rows } = await sql`
    update outbox set number = moved.number, sequence = null, enforced_at_ms = null
    from unnest(${waiting.map(({ from }) => from)}::bigint[], ${waiting.map(({ to }) => to)}::bigint[])
      as moved (known, number)
    where outbox.lane = ${lane} and outbox.number = moved.known
      and (outbox.number <> moved.number or outbox.sequence is not null)
    returning 1`.execute(transaction);
  return rows.length;
}

/** Rows that wait, by number, with their events. */
export async function readWaiting(
  transaction: CentreTransaction,
  lane: Lane,
  numbers: readonly number[],
): Promise<MovedRow[]> {
  // As one value: the protocol counts 65,535 at most, and an outbox may have waited for days.
  const { rows } = await sql<{ number: number; bytes: Buffer }>`
    select number, bytes from outbox where lane = ${lane} and number = any(${numbers}::bigint[]) order by number
  `.execute(transaction);
  return rows.map(({ number, bytes }) => ({ number, event: Event.decode(bytes) }));
}

/** Writes what was lifted (domain/lift.ts): into the rows that wait, and into the tables that they came from. */
export async function liftRows(
  transaction: CentreTransaction,
  lane: Lane,
  rows: readonly MovedRow[],
  lifts: readonly Lift[],
): Promise<void> {
  if (lifts.length === 0) return;
  for (const { number, event } of rows) {
    const bytes = Buffer.from(Event.encode({ ...event, outbox: 0 }).finish());
    await transaction
      .updateTable("outbox")
      .set({ bytes })
      .where("lane", "=", lane)
      .where("number", "=", number)
      .execute();
  }
  // The highest first: no revision is moved onto one that is still there.
  for (const lift of lifts.toSorted((left, right) => right.from - left.from)) {
    await liftRow(transaction, lift);
  }
}

async function liftRow(transaction: CentreTransaction, { kind, subject, from, to, revokedBy }: Lift) {
  switch (kind) {
    case "directive":
      await transaction
        .updateTable("directives")
        .set({
          revision: to,
          ...(revokedBy === undefined ? {} : { revoked: true, revoked_by: revokedBy }),
        })
        .where("id", "=", subject)
        .where("revision", "=", from)
        .execute();
      await transaction
        .updateTable("approvals")
        .set({ revision: to })
        .where("directive", "=", subject)
        .where("revision", "=", from)
        .execute();
      return;
    case "trunk":
      await transaction
        .updateTable("trunks")
        .set({ revision: to })
        .where("trunk", "=", subject)
        .where("revision", "=", from)
        .execute();
      return;
    case "stop":
      await transaction.updateTable("stops").set({ revision: to }).where("revision", "=", from).execute();
      return;
    default:
      return kind satisfies never;
  }
}
