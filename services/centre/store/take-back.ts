import { ulid } from "ulid";
import { regionOfId } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import type { Event, Intelligence, IntelligenceWithdrawn } from "#proto/qalqan/events/v1/events.ts";
import { insertApproval, readApprovals } from "./approvals.ts";
import { newRow, readTrunkDirections } from "./directives.ts";
import { insertMembers } from "./imports.ts";
import type { CentreTransaction } from "./schema.ts";
import { applyAhead } from "./national.ts";
import { readRevocations, settleBatch, settleDirective, type Settling } from "./settle.ts";
import { writeTrunk } from "./trunks.ts";

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

/**
 * Writes events of the lane back into the tables that they came from: what
 * people were told is accepted is known here again. What only this region's
 * database ever held is gone: idempotency keys, notes of intelligence, which
 * file a batch was, what was entered and refused in it.
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
  for (const taken of events) {
    const key = await insertRow(transaction, taken);
    await apply(transaction, region, taken, key, settling);
  }
  const trunkDirection = await readTrunkDirections(transaction);
  const revocations = settling.batches.size > 0 ? await readRevocations(transaction) : settling.revocations;
  const settled = { ...settling, trunkDirection, revocations };
  for (const batch of settling.batches) await settleBatch(transaction, batch, settled);
  for (const directive of settling.directives) await settleDirective(transaction, directive, settled);
  if (settling.directives.size + settling.batches.size > 0) await applyAhead(transaction);
}

async function insertRow(
  transaction: CentreTransaction,
  { lane, number, epoch, sequence, event, bytes }: TakenBack,
): Promise<string> {
  const key = ulid();
  await transaction
    .insertInto("outbox")
    .values({
      ...{
        lane,
        number,
        epoch,
        sequence,
        event: key,
        type: event.body?.$case ?? "unknown",
        bytes: Buffer.from(bytes),
      },
      ...{ at_ms: event.atMs, enforced_at_ms: null },
    })
    .execute();
  return key;
}

async function apply(
  transaction: CentreTransaction,
  region: string,
  { event }: TakenBack,
  key: string,
  settling: Settling,
): Promise<void> {
  const { body } = event;
  switch (body?.$case) {
    case "directives": {
      const { directives } = body.value;
      const members = directives.filter(({ batch, revision }) => batch !== "" && revision === 1);
      await takeMembers(transaction, members, key);
      for (const directive of directives.filter((each) => !members.includes(each))) {
        await transaction
          .insertInto("directives")
          .values({ ...newRow(directive, key), latest: false })
          .onConflict((conflict) =>
            // Two histories gave one revision to two things: a withdrawal counts, whichever of them has it.
            conflict
              .columns(["id", "revision"])
              .doUpdateSet((excluded) => ({ revoked: true, revoked_by: excluded.ref("excluded.revoked_by") }))
              .where(sql<boolean>`excluded.revoked and not directives.revoked`),
          )
          .execute();
        settling.directives.add(directive.id);
      }
      for (const { batch } of members) settling.batches.add(batch);
      await markLatest(
        transaction,
        directives.map(({ id }) => id),
      );
      return;
    }
    case "approval": {
      const { directive, batch, revision, person, kind, approved } = body.value;
      const known = await readApprovals(transaction, directive, batch);
      const isKnown = known.some(
        (each) =>
          each.revision === revision &&
          each.person === person &&
          each.kind === kind &&
          each.approved === approved,
      );
      if (!isKnown) await insertApproval(transaction, body.value);
      if (regionOfId(directive === "" ? batch : directive) !== region) return;
      settling.approvalEvents.set(`${directive} ${batch} ${revision}`, key);
      if (directive === "") settling.batches.add(batch);
      else settling.directives.add(directive);
      return;
    }
    case "batchRevocation":
      settling.batches.add(body.value.batch);
      return;
    case "trunkSet": {
      const { sbcAddress, ...trunk } = body.value;
      const known = await transaction
        .selectFrom("trunks")
        .select("revision")
        .where("trunk", "=", trunk.trunk)
        .executeTakeFirst();
      if ((known?.revision ?? 0) < trunk.revision)
        await writeTrunk(transaction, { ...trunk, sbc_address: sbcAddress });
      return;
    }
    case "regionStop": {
      const row = { ...body.value, at_ms: event.atMs };
      await transaction
        .insertInto("stops")
        .values(row)
        .onConflict((conflict) =>
          conflict.column("carrier").doUpdateSet(row).where("stops.revision", "<", row.revision),
        )
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

type Members = Parameters<typeof insertMembers>[1];

async function takeMembers(transaction: CentreTransaction, members: Members, event: string): Promise<void> {
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
  await sql`
    update directives set latest = revision = (
      select max(other.revision) from directives other where other.id = directives.id)
    where id = any(${ids})`.execute(transaction);
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
