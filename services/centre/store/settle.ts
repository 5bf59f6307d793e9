import { missingApprovals } from "#domain/approval.ts";
import { batchStanding, distinctNeeds } from "#domain/approving.ts";
import type { Approval } from "#domain/opinion.ts";
import { requirement, type PowersContext, type Requirement } from "#domain/powers.ts";
import { sql } from "#platform/database.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { knownBatchOf } from "../domain/batch-view.ts";
import { readApprovals, readApprovalsOf } from "./approvals.ts";
import { readBatch } from "./batches.ts";
import { latestRevisions, opinionOf } from "./directives.ts";
import type { BatchRow, CentreTransaction, DirectiveRow } from "./schema.ts";

/** What was touched by events that were taken back, and is to be judged by all that is known now. */
export interface Settling extends PowersContext {
  readonly directives: Set<string>;
  readonly batches: Set<string>;
  /** Outbox key of an approval by `directive batch revision`; the last one is the one that completes. */
  readonly approvalEvents: Map<string, string>;
  /** What ended batches, by their ids: also where that was taken back before their members. */
  readonly revocations: ReadonlyMap<string, Revocation>;
}

type Revocation = Pick<BatchRow, "revoked_at_ms" | "revoked_by" | "revoked_reason" | "revoke_event">;

/** Every revocation of a batch that this centre ever said. */
export async function readRevocations(transaction: CentreTransaction): Promise<Map<string, Revocation>> {
  const type = "batchRevocation" satisfies NonNullable<Event["body"]>["$case"];
  const rows = await transaction
    .selectFrom("outbox")
    .select(["event", "bytes"])
    .where("type", "=", type)
    .orderBy("number")
    .execute();
  const found = new Map<string, Revocation>();
  for (const { event, bytes } of rows) {
    const { body } = Event.decode(bytes);
    if (body?.$case !== type || found.has(body.value.batch)) continue;
    const { batch, person, reason, atMs } = body.value;
    found.set(batch, {
      ...{ revoked_at_ms: atMs, revoked_by: person, revoked_reason: reason, revoke_event: event },
    });
  }
  return found;
}

const membersPerRead = 5_000;
/** Directives that are judged at once. */
const directivesPerPortion = 5_000;

/** The latest revisions of directives by the approvals that speak of them; it is known which the latest are. */
export async function settleDirectives(transaction: CentreTransaction, settling: Settling): Promise<void> {
  const ids = [...settling.directives];
  for (let from = 0; from < ids.length; from += directivesPerPortion) {
    const portion = ids.slice(from, from + directivesPerPortion);
    const rows = await latestRevisions(transaction, portion);
    const approvals = await readApprovalsOf(transaction, portion);
    const settled = rows.map((row) => settledDirective(row, approvals.get(row.id) ?? [], settling));
    await sql`
      update directives set missing = string_to_array(settled.missing, ','), refused = settled.refused,
        effect_event = settled.effect
      from unnest(
        ${settled.map(({ id }) => id)}::text[],
        ${settled.map(({ revision }) => revision)}::integer[],
        ${settled.map(({ missing }) => missing.join(","))}::text[],
        ${settled.map(({ refused }) => refused)}::boolean[],
        ${settled.map(({ effect }) => effect)}::text[]
      ) as settled (id, revision, missing, refused, effect)
      where directives.id = settled.id and directives.revision = settled.revision
        and (array_to_string(directives.missing, ','), directives.refused, directives.effect_event)
          is distinct from (settled.missing, settled.refused, settled.effect)`.execute(transaction);
  }
}

function settledDirective(row: DirectiveRow, given: readonly Approval[], settling: Settling) {
  const { id, revision } = row;
  const approvals = given.filter((approval) => approval.revision === revision);
  const needs = requirement(opinionOf(row), settling);
  const isComplete = approvals.some(({ complete }) => complete) || row.missing_at_acceptance.length === 0;
  const subject = { id, revision, batch: row.batch, author: row.author };
  const missing = isComplete || needs.kind !== "needs" ? [] : missingApprovals(needs, subject, approvals);
  const refused = approvals.some(({ approved }) => !approved);
  const effect = isComplete ? effectOf(row, settling.approvalEvents.get(`${id}  ${revision}`)) : null;
  return { id, revision, missing, refused, effect };
}

function effectOf(row: DirectiveRow, approvalEvent: string | undefined): string {
  return row.effect_event ?? approvalEvent ?? row.event;
}

/**
 * A batch by its members and approvals; its row is made where it is missing. One
 * that was made so before is made anew: members may have come back since.
 */
export async function settleBatch(
  transaction: CentreTransaction,
  id: string,
  settling: Settling,
): Promise<void> {
  const kept = await readBatch(transaction, id);
  const isWhole = kept !== undefined && kept.content_key !== recoveredKey(id);
  const known = isWhole ? kept : await makeBatch(transaction, id, kept, settling);
  if (known === undefined) return;
  const approvals = await readApprovals(transaction, "", id);
  const { missing } = batchStanding(knownBatchOf(known, approvals));
  const isComplete = known.needs === "[]" || approvals.some(({ complete }) => complete);
  const former = known.needs === "[]" && !isWhole ? known.last_event : known.effect_event;
  const effect = former ?? settling.approvalEvents.get(` ${id} 1`) ?? known.last_event;
  await transaction
    .updateTable("batches")
    .set({
      missing,
      refused: approvals.some(({ approved }) => !approved),
      effect_event: isComplete ? effect : null,
      ...(known.revoked_at_ms > 0 ? {} : settling.revocations.get(id)),
    })
    .where("id", "=", id)
    .execute();
}

/** Which file it was is not known any more: the same file is another import then. */
const recoveredKey = (id: string): string => `recovered:${id}`;

/** @param made by an earlier recovery: what people have decided on it since stays */
async function makeBatch(
  transaction: CentreTransaction,
  id: string,
  made: BatchRow | undefined,
  settling: Settling,
): Promise<BatchRow | undefined> {
  const needs = new Map<string, Requirement>();
  let last: DirectiveRow | undefined;
  let accepted = 0;
  for (;;) {
    const members = await transaction
      .selectFrom("directives")
      .selectAll()
      .where("batch", "=", id)
      .where("revision", "=", 1)
      .where("id", ">", last?.id ?? "")
      .orderBy("id")
      .limit(membersPerRead)
      .execute();
    for (const member of members) {
      const asked = requirement(opinionOf(member), settling);
      needs.set(JSON.stringify(asked), asked);
    }
    accepted += members.length;
    last = members.at(-1) ?? last;
    if (members.length < membersPerRead) break;
  }
  if (last === undefined) return undefined;
  const row: BatchRow = {
    ...{ id, content_key: recoveredKey(id), action: last.action, scope: last.scope, basis: last.basis },
    ...{ reason: last.reason, author: last.author, author_role: last.author_role },
    ...{ accepted_at_ms: last.accepted_at_ms, expires_at_ms: last.expires_at_ms },
    ...{ entries: accepted, accepted, merged: 0, refused_by_reason: "{}" },
    ...{ needs: JSON.stringify(distinctNeeds(needs.values())), missing: [], refused: false },
    ...{ last_event: last.event, effect_event: null },
    ...{ revoked_at_ms: 0, revoked_by: "", revoked_reason: "", revoke_event: null },
  };
  if (made === undefined) {
    await transaction.insertInto("batches").values(row).execute();
    return row;
  }
  const { entries, needs: allNeeds, last_event } = row;
  const members = { entries, accepted, needs: allNeeds, last_event };
  await transaction.updateTable("batches").set(members).where("id", "=", id).execute();
  return { ...made, ...members };
}
