import { decideBatchRevocation } from "#domain/approving.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { BatchView, RevokeBatchRequest } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre } from "../centre.ts";
import { knownBatchOf } from "../domain/batch-view.ts";
import { readApprovals } from "../store/approvals.ts";
import { batchViewOf, readBatch } from "../store/batches.ts";
import { eventOf, outgoing } from "../store/outbox.ts";
import { lock } from "../store/transaction.ts";
import { notFound } from "./not-found.ts";
import { requireHere, writers } from "./people.ts";

/**
 * Withdraws all directives of a batch by one event; again changes nothing.
 *
 * @throws InvalidInput reason; Refusal `forbidden`, `not-found`
 */
export async function revokeBatch(
  centre: Centre,
  request: RevokeBatchRequest,
  person: Person,
): Promise<BatchView> {
  requireHere(person, centre.region, writers);
  const id = request.batch;
  await centre.accept(async (transaction) => {
    await lock(transaction, [`batch:${id}`]);
    const batch = await readBatch(transaction, id);
    if (batch === undefined) throw notFound("batch", id);
    const nowMs = Date.now();
    const { events } = decideBatchRevocation(
      knownBatchOf(batch, await readApprovals(transaction, "", id)),
      { reason: request.reason },
      { nowMs, region: centre.region, person },
    );
    if (events.length === 0) return noEffects(undefined);
    const sent = events.map((each) => outgoing(each.lane, each.body, nowMs));
    await transaction
      .updateTable("batches")
      .set({
        revoked_at_ms: nowMs,
        revoked_by: person.id,
        revoked_reason: request.reason,
        revoke_event: eventOf(sent),
      })
      .where("id", "=", id)
      .execute();
    return {
      result: undefined,
      audit: [
        {
          atMs: nowMs,
          person: person.id,
          role: person.role,
          what: "batch-revoked",
          subject: id,
          detail: { reason: request.reason },
        },
      ],
      events: sent,
    };
  });
  const view = await batchViewOf(centre.database, id, centre.moment());
  if (view === undefined) throw new Error("a batch that was revoked is not there");
  return view;
}
