import { ulid } from "ulid";
import type { Approval, Opinion } from "#domain/opinion.ts";
import { stopOverrides, trunkOverrides } from "#domain/setting-order.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import type { Event, Intelligence, IntelligenceWithdrawn } from "#proto/qalqan/events/v1/events.ts";
import { insertUnknownApprovals } from "./approvals.ts";
import { newRow, readTrunkDirections } from "./directives.ts";
import { insertMembers } from "./imports.ts";
import type { CentreTransaction, DirectiveRow } from "./schema.ts";
import { applyAhead } from "./national.ts";
import { readRevocations, settleBatch, settleDirectives, type Settling } from "./settle.ts";
import { readTrunk, trunkSetOf, writeTrunk } from "./trunks.ts";

/** An event of this centre that its database lacked. */
export interface TakenBack {
  readonly lane: Lane;
  /** The number that its outbox row gets. */
  readonly number: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly event: Event;
  /** The encoded event without its outbox number. */
  readonly bytes: Uint8Array;
}

/** What one portion takes back at most: its bytes go as one value. */
const perPortion = { events: 1_000, bytes: 2 * 1024 * 1024 } as const;
/** Ids that one statement names at most. */
const idsPerStatement = 5_000;

/** An event with the key that its outbox row got. */
interface Keyed {
  readonly event: Event;
  readonly key: string;
}

/**
 * Writes events of the lane back into the tables that they came from: what
 * people were told is accepted is known here again. What only this region's
 * database ever held is gone: idempotency keys, notes of intelligence, which
 * file a batch was, what was entered and refused in it. Commands wait meanwhile,
 * so rows go by the thousand.
 *
 * @param events in the order in which they are applied: bulk before what is about it
 */
export async function takeBack(
  transaction: CentreTransaction,
  region: string,
  events: readonly TakenBack[],
): Promise<void> {
  const settling: Settling = {
    directives: new Set(),
    batches: new Set(),
    approvalEvents: new Map(),
    revocations: new Map(),
    trunkDirection: () => undefined,
  };
  const revised = new Set<string>();
  for (const portion of portionsOf(events)) {
    const keyed = await insertRows(transaction, portion);
    await takeDirectives(transaction, keyed, settling, revised);
    await takeApprovals(transaction, region, keyed, settling);
    for (const { event } of keyed) await apply(transaction, region, event, settling);
  }
  await markLatest(transaction, [...revised]);
  const trunkDirection = await readTrunkDirections(transaction);
  const revocations = settling.batches.size > 0 ? await readRevocations(transaction) : settling.revocations;
  const settled = { ...settling, trunkDirection, revocations };
  for (const batch of settling.batches) await settleBatch(transaction, batch, settled);
  await settleDirectives(transaction, settled);
  if (settling.directives.size + settling.batches.size > 0) await applyAhead(transaction);
}

function portionsOf(events: readonly TakenBack[]): readonly (readonly TakenBack[])[] {
  const portions: TakenBack[][] = [];
  let bytes = 0;
  for (const event of events) {
    const portion = portions.at(-1);
    bytes += event.bytes.length;
    if (portion !== undefined && portion.length < perPortion.events && bytes <= perPortion.bytes) {
      portion.push(event);
    } else {
      portions.push([event]);
      bytes = event.bytes.length;
    }
  }
  return portions;
}

/** The bytes are cut apart there: as an array each would be written out in hexadecimal. */
async function insertRows(transaction: CentreTransaction, taken: readonly TakenBack[]): Promise<Keyed[]> {
  const keyed = taken.map(({ event }) => ({ event, key: ulid() }));
  let end = 0;
  const starts = taken.map(({ bytes }) => (end += bytes.length) - bytes.length + 1);
  await sql`
    insert into outbox (lane, number, epoch, sequence, event, type, bytes, at_ms)
    select lane, number, epoch, sequence, event, type,
      substring(${Buffer.concat(taken.map(({ bytes }) => bytes))}::bytea from start for size), at_ms
    from unnest(
      ${taken.map(({ lane }) => lane)}::text[],
      ${taken.map(({ number }) => number)}::bigint[],
      ${taken.map(({ epoch }) => epoch)}::integer[],
      ${taken.map(({ sequence }) => sequence)}::bigint[],
      ${keyed.map(({ key }) => key)}::text[],
      ${taken.map(({ event }) => event.body?.$case ?? "unknown")}::text[],
      ${starts}::integer[],
      ${taken.map(({ bytes }) => bytes.length)}::integer[],
      ${taken.map(({ event }) => event.atMs)}::bigint[]
    ) as taken (lane, number, epoch, sequence, event, type, start, size, at_ms)`.execute(transaction);
  return keyed;
}

/** @param revised gets the ids of which it must be marked anew which revision is the latest */
async function takeDirectives(
  transaction: CentreTransaction,
  taken: readonly Keyed[],
  settling: Settling,
  revised: Set<string>,
): Promise<void> {
  const rows = new Map<string, DirectiveRow>();
  const highest = new Map<string, number>();
  for (const { event, key } of taken) {
    if (event.body?.$case !== "directives") continue;
    const members: Opinion[] = [];
    for (const directive of event.body.value.directives) {
      revised.add(directive.id);
      if (directive.batch !== "" && directive.revision === 1) {
        members.push(directive);
        settling.batches.add(directive.batch);
        continue;
      }
      settling.directives.add(directive.id);
      highest.set(directive.id, Math.max(directive.revision, highest.get(directive.id) ?? 0));
      const name = `${directive.id} ${directive.revision}`;
      const row = newRow(directive, key);
      const known = rows.get(name);
      // Two histories gave one revision to two things: a withdrawal counts, whichever of them has it.
      if (known === undefined) rows.set(name, row);
      else if (row.revoked && !known.revoked)
        rows.set(name, { ...known, revoked: true, revoked_by: row.revoked_by });
    }
    await takeMembers(transaction, members, key);
  }
  if (rows.size === 0) return;
  // As far as is known here (markLatest): hardly a row is written twice.
  const given = [...rows.values()].map((row) => ({ ...row, latest: row.revision === highest.get(row.id) }));
  await sql`
    insert into directives
    select * from json_populate_recordset(null::directives, ${JSON.stringify(given)}::json)
    on conflict (id, revision) do update set revoked = true, revoked_by = excluded.revoked_by
      where excluded.revoked and not directives.revoked`.execute(transaction);
}

async function takeApprovals(
  transaction: CentreTransaction,
  region: string,
  taken: readonly Keyed[],
  settling: Settling,
): Promise<void> {
  const given = new Map<string, Approval>();
  for (const { event, key } of taken) {
    if (event.body?.$case !== "approval") continue;
    const { directive, batch, revision, person, kind, approved } = event.body.value;
    const name = JSON.stringify([directive, batch, revision, person, kind, approved]);
    if (!given.has(name)) given.set(name, event.body.value);
    if (regionOfId(directive === "" ? batch : directive) !== region) continue;
    settling.approvalEvents.set(`${directive} ${batch} ${revision}`, key);
    if (directive === "") settling.batches.add(batch);
    else settling.directives.add(directive);
  }
  await insertUnknownApprovals(transaction, [...given.values()]);
}

/** Everything that is rows of neither directives nor approvals: it is little. */
async function apply(
  transaction: CentreTransaction,
  region: string,
  event: Event,
  settling: Settling,
): Promise<void> {
  const { body } = event;
  switch (body?.$case) {
    case "batchRevocation":
      settling.batches.add(body.value.batch);
      return;
    case "trunkSet": {
      const { sbcAddress, ...trunk } = body.value;
      const known = await readTrunk(transaction, trunk.trunk);
      if (known === undefined || trunkOverrides(body.value, trunkSetOf(known)))
        await writeTrunk(transaction, { ...trunk, sbc_address: sbcAddress });
      return;
    }
    case "regionStop": {
      const row = { ...body.value, at_ms: event.atMs };
      const known = await transaction
        .selectFrom("stops")
        .selectAll()
        .where("carrier", "=", row.carrier)
        .executeTakeFirst();
      if (known !== undefined && !stopOverrides(row, known)) return;
      await transaction
        .insertInto("stops")
        .values(row)
        .onConflict((conflict) => conflict.column("carrier").doUpdateSet(row))
        .execute();
      return;
    }
    case "intelligence":
      if (body.value.intelligence !== undefined)
        await takeIntelligence(transaction, region, body.value.intelligence);
      return;
    case "intelligenceWithdrawn":
      await takeWithdrawal(transaction, body.value);
      return;
    case "directives":
    case "approval":
      // Taken back together with others (takeDirectives, takeApprovals).
      return;
    case "receipt":
    case "counters":
    case "heartbeat":
    case "epochOpened":
    case "seal":
    case "alarms":
    case undefined:
      // Other producers' bodies, and what a later release may send: its row is enough.
      return;
  }
}

async function takeMembers(
  transaction: CentreTransaction,
  members: readonly Opinion[],
  event: string,
): Promise<void> {
  if (members.length === 0) return;
  const known = await transaction
    .selectFrom("directives")
    .select("id")
    .where("revision", "=", 1)
    .where(
      "id",
      "in",
      members.map(({ id }) => id),
    )
    .execute();
  const ids = new Set(known.map(({ id }) => id));
  await insertMembers(
    transaction,
    members.filter(({ id }) => !ids.has(id)),
    event,
  );
}

/** Revisions may come back in any order: the highest is the latest. */
async function markLatest(transaction: CentreTransaction, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += idsPerStatement) {
    await sql`
      update directives set latest = directives.revision = newest.revision
      from (
        select id, max(revision) as revision from directives
        where id = any(${ids.slice(from, from + idsPerStatement)}) group by id
      ) newest
      where directives.id = newest.id and directives.latest <> (directives.revision = newest.revision)
    `.execute(transaction);
  }
}

async function takeIntelligence(
  transaction: CentreTransaction,
  region: string,
  piece: Intelligence,
): Promise<void> {
  const fields = {
    ...{ kind: piece.kind, fields_json: piece.fieldsJson, audience: piece.audience, tlp: piece.tlp },
    ...{ confidence: piece.confidence, source: piece.source, author: piece.author },
    ...{ created_at_ms: piece.createdAtMs, valid_until_ms: piece.validUntilMs },
    released_wording: piece.releasedWording,
  };
  const state = { revision: piece.revision, withdrawn: false, withdrawn_at_ms: 0, note: "" };
  await transaction
    .insertInto("intelligence")
    .values({ id: piece.id, region, ...fields, ...state })
    .onConflict((conflict) =>
      // That it is withdrawn came down before it was back (storeWithdrawn): it stays withdrawn.
      conflict.column("id").doUpdateSet(fields).where("intelligence.kind", "=", ""),
    )
    .execute();
}

async function takeWithdrawal(
  transaction: CentreTransaction,
  { id, revision, atMs }: IntelligenceWithdrawn,
): Promise<void> {
  await transaction
    .updateTable("intelligence")
    .set({ withdrawn: true, withdrawn_at_ms: atMs, revision })
    .where("id", "=", id)
    .where("revision", "<", revision)
    .execute();
}
