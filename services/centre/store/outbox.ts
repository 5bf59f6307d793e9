import { ulid } from "ulid";
import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { outboxReadMax } from "../config.ts";
import { weightOf, type Weight } from "../domain/room.ts";
import type { CentreTransaction, Reader } from "./schema.ts";

/** An event that a command causes. */
export interface Outgoing {
  /** Key by which other rows name it. */
  readonly event: string;
  readonly lane: Lane;
  readonly type: string;
  /** How much of its lane's room it may take. */
  readonly weight: Weight;
  /** The encoded Event; its outbox number is not known yet (withOutboxNumber). */
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

/** Makes an event for the outbox. */
export function outgoing(lane: Lane, body: NonNullable<Event["body"]>, atMs: number): Outgoing {
  const bytes = Event.encode({ outbox: 0, atMs, body }).finish();
  return { event: ulid(), lane, type: body.$case, weight: weightOf(body), bytes, atMs };
}

/** The key of the one event that a command causes. */
export function eventOf(sent: readonly Outgoing[]): string {
  const [only] = sent;
  if (only === undefined || sent.length > 1) throw new Error(`one event was expected, not ${sent.length}`);
  return only.event;
}

/** Lanes in the order in which their counters are locked. */
const lockOrder: readonly Lane[] = ["urgent", "events"];

/**
 * What one statement writes: the bytes go as one value, whose copies are made in
 * one step, between others' commands.
 */
const perStatement = { events: 50, bytes: 2 * 1024 * 1024 } as const;

/**
 * Writes events into the outbox, numbered per lane in commit order: the
 * counter's row stays locked until the commit, so this comes after a command's
 * own rows. A transaction that is rolled back leaves no gap.
 *
 * @param last what it has to write besides: sent behind the last statement, in the same round trip
 * @returns the rows as they wait from the commit on
 */
export async function writeOutbox(
  transaction: CentreTransaction,
  events: readonly Outgoing[],
  last: () => readonly Promise<unknown>[],
): Promise<Record<Lane, readonly WaitingRow[]>> {
  const written: Record<Lane, WaitingRow[]> = { urgent: [], events: [] };
  const statements = statementsOf(events);
  for (const [index, { lane, part }] of statements.entries()) {
    const isLast = index === statements.length - 1;
    const [rows] = await Promise.all([writeSome(transaction, lane, part), ...(isLast ? last() : [])]);
    written[lane].push(...rows);
  }
  if (statements.length === 0) await Promise.all(last());
  return written;
}

/** The events lane by lane, in the order in which their counters are locked. */
export function statementsOf(
  events: readonly Outgoing[],
): { readonly lane: Lane; readonly part: readonly Outgoing[] }[] {
  return lockOrder.flatMap((lane) => {
    const parts: Outgoing[][] = [];
    let bytes = 0;
    for (const event of events.filter((each) => each.lane === lane)) {
      const part = parts.at(-1);
      bytes += event.bytes.length;
      if (part !== undefined && part.length < perStatement.events && bytes <= perStatement.bytes) {
        part.push(event);
      } else {
        parts.push([event]);
        bytes = event.bytes.length;
      }
    }
    return parts.map((part) => ({ lane, part }));
  });
}

/** Whether everything that `writeOutbox` sends goes in one turn. */
export function fitsOneStatement(events: readonly Outgoing[]): boolean {
  return statementsOf(events).length <= 1;
}

/** The bytes are cut apart there: as an array each would be written out in hexadecimal. */
async function writeSome(
  transaction: CentreTransaction,
  lane: Lane,
  events: readonly Outgoing[],
): Promise<WaitingRow[]> {
  let end = 0;
  const starts = events.map(({ bytes }) => (end += bytes.length) - bytes.length + 1);
  const { rows } = await sql<{ number: number }>`
    with counter as (
      update outbox_counters set last = last + ${events.length} where lane = ${lane} returning last
    )
    insert into outbox (lane, number, type, event, bytes, at_ms)
    select ${lane}::text, counter.last - ${events.length} + given.place, given.type, given.event,
      substring(${Buffer.concat(events.map(({ bytes }) => bytes))}::bytea from given.start for given.size),
      given.at_ms
    from counter, unnest(
      ${events.map(({ type }) => type)}::text[],
      ${events.map(({ event }) => event)}::text[],
      ${starts}::integer[],
      ${events.map(({ bytes }) => bytes.length)}::integer[],
      ${events.map(({ atMs }) => atMs)}::bigint[]
    ) with ordinality as given (type, event, start, size, at_ms, place)
    returning number`.execute(transaction);
  const first = Math.min(...rows.map(({ number }) => number));
  return events.map(({ type, bytes }, index) => ({ number: first + index, type, bytes }));
}

/** Tag of field 1, a varint: `Event.outbox`. */
const outboxTag = 0x08;

/**
 * Adds field 1 to an encoded Event that has none: protobuf reads fields in any
 * order, so it may stand in front.
 */
export function withOutboxNumber(bytes: Uint8Array, number: number): Uint8Array {
  const head: number[] = [outboxTag];
  let rest = number;
  while (rest >= 0x80) {
    head.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  head.push(rest);
  return Buffer.concat([Uint8Array.from(head), bytes]);
}

/** An event of the lane as its outbox row has it: the number apart from the rest. */
export function splitOutboxNumber(bytes: Uint8Array): { number: number; rest: Uint8Array } {
  let number = 0;
  let scale = 1;
  for (let at = 1; at < bytes.length && bytes[0] === outboxTag; at += 1) {
    const byte = bytes[at] ?? 0;
    number += (byte % 0x80) * scale;
    scale *= 0x80;
    if (byte < 0x80) return { number, rest: bytes.subarray(at + 1) };
  }
  throw new RangeError("an event of this centre does not begin with its outbox number");
}

/** A row that is to be stored in its lane. */
export interface WaitingRow {
  readonly number: number;
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The rows after `number` that are not in their lane yet, in order: one, or as many as {@link outboxReadMax} allows. */
export async function readOutbox(database: Reader, lane: Lane, number: number): Promise<WaitingRow[]> {
  const { rows } = await sql<WaitingRow>`
    select number, type, bytes from (
      select number, type, bytes, row_number() over waiting as place,
        sum(octet_length(bytes)) over waiting as read
      from (
        select number, type, bytes from outbox
        where lane = ${lane} and number > ${number} and sequence is null order by number limit ${outboxReadMax.rows}
      ) next
      window waiting as (order by number)
    ) counted
    where place = 1 or read <= ${outboxReadMax.bytes} order by number`.execute(database);
  return rows;
}

/** Where a row is in its lane. */
export interface StoredRow {
  readonly number: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Notes where rows were stored. */
export async function recordSequences(
  database: Reader,
  lane: Lane,
  stored: readonly StoredRow[],
): Promise<void> {
  if (stored.length === 0) return;
  await sql`
    update outbox set sequence = stored.sequence, epoch = stored.epoch
    from unnest(
      ${stored.map((row) => row.number)}::bigint[],
      ${stored.map((row) => row.epoch)}::integer[],
      ${stored.map((row) => row.sequence)}::bigint[]) as stored (number, epoch, sequence)
    where outbox.lane = ${lane} and outbox.number = stored.number
      and (outbox.sequence is null or outbox.epoch <> stored.epoch)`.execute(database);
}
