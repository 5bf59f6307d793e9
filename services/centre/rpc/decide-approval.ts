import { decideApproval as decideOwn, decideBatchApproval } from "#domain/approving.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { batchRevision, type Approval } from "#domain/opinion.ts";
import { Refusal } from "#domain/refusal.ts";
import {
  parseApprovalKind,
  regionOfId,
  type ApprovalKind,
  type Person,
  type Role,
} from "#domain/vocabulary.ts";
import type { DecideApprovalRequest, DecideApprovalResponse } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre, type Effects } from "../centre.ts";
import { knownBatchOf } from "../domain/batch-view.ts";
import { standingOf } from "../domain/directive-view.ts";
import { insertApproval, readApprovals } from "../store/approvals.ts";
import { batchViewOf, readBatch } from "../store/batches.ts";
import { latestRevision, opinionOf, readTrunkDirections } from "../store/directives.ts";
import type { CentreTransaction } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";
import { viewOf } from "../store/views.ts";
import { approvalEffects, approvalEvent } from "./approval-effects.ts";
import { approveForeign, approveForeignBatch } from "./approve-foreign.ts";
import { notFound } from "./not-found.ts";
import { requireCarrier, requireHere } from "./people.ts";

const approvers: readonly Role[] = ["operator", "analyst", "regional-prosecutor", "carrier"];

/**
 * Writes a person's yes or no to a directive or a batch; another region's
 * is approved here as by the second region.
 *
 * @throws InvalidInput when not exactly one of directive and batch is named
 * @throws Refusal `not-found`, `conflict` when nothing waits for it, `forbidden` for the author and for
 *   somebody who cannot give what is missing
 */
export async function decideApproval(
  centre: Centre,
  request: DecideApprovalRequest,
  person: Person,
): Promise<DecideApprovalResponse> {
  requireHere(person, centre.region, approvers);
  // Who speaks for no carrier confirms nothing as one.
  if (person.role === "carrier") requireCarrier(person, centre.region);
  const kind = request.kind === "" ? undefined : parseApprovalKind("kind", request.kind);
  const { directive, batch } = request;
  if ((directive === "") === (batch === "")) {
    throw new InvalidInput({
      code: "invalid-subject",
      field: "directive",
      value: directive,
      message: "exactly one of directive and batch is to be named",
      remedy: "Give the id of a directive or of a batch.",
    });
  }
  if (batch !== "") {
    if (regionOfId(batch) !== centre.region) {
      return { directive: undefined, batch: await approveForeignBatch(centre, request, kind, person) };
    }
    await centre.accept((transaction) => approveBatch(centre, transaction, request, kind, person));
    return { directive: undefined, batch: await batchViewOf(centre.database, batch, centre.moment()) };
  }
  if (regionOfId(directive) !== centre.region) {
    return { directive: await approveForeign(centre, request, kind, person), batch: undefined };
  }
  await centre.accept((transaction) => approveDirective(centre, transaction, request, kind, person));
  return { directive: await viewOf(centre.database, directive, centre.moment()), batch: undefined };
}

async function approveDirective(
  centre: Centre,
  transaction: CentreTransaction,
  request: DecideApprovalRequest,
  kind: ApprovalKind | undefined,
  person: Person,
): Promise<Effects<void>> {
  await lock(transaction, [`directive:${request.directive}`]);
  const row = await latestRevision(transaction, request.directive);
  if (row === undefined) throw notFound("directive", request.directive);
  const batch = row.batch === "" ? undefined : await readBatch(transaction, row.batch);
  const nowMs = Date.now();
  const approvals = await readApprovals(transaction, row.id, row.batch);
  if (approvals.some((each) => repeats(each, request, row, person))) return noEffects(undefined);
  const { state } = standingOf({ row, batch }, nowMs);
  if (batch !== undefined && row.revision === batchRevision && state === "held") {
    throw new Refusal({
      code: "conflict",
      field: "directive",
      value: row.id,
      message: "the directive is one of a batch, which is approved as one",
      remedy: `decide about the batch ${batch.id}, or revoke this directive alone`,
    });
  }
  const outcome = decideOwn(
    { directive: opinionOf(row), state, approvals },
    { approve: request.approve, kind, revision: request.revision },
    { nowMs, region: centre.region, person, trunkDirection: await readTrunkDirections(transaction) },
  );
  const { approval } = outcome;
  if (approval === undefined) return noEffects(undefined);
  const sent = approvalEvent(approval);
  await insertApproval(transaction, approval);
  await transaction
    .updateTable("directives")
    .set({
      missing: outcome.missing,
      refused: !approval.approved,
      effect_event: approval.complete ? sent.event : null,
    })
    .where("id", "=", row.id)
    .where("revision", "=", row.revision)
    .execute();
  return approvalEffects(approval, sent, row.id, undefined);
}

async function approveBatch(
  centre: Centre,
  transaction: CentreTransaction,
  request: DecideApprovalRequest,
  kind: ApprovalKind | undefined,
  person: Person,
): Promise<Effects<void>> {
  await lock(transaction, [`batch:${request.batch}`]);
  const batch = await readBatch(transaction, request.batch);
  if (batch === undefined) throw notFound("batch", request.batch);
  const nowMs = Date.now();
  const approvals = await readApprovals(transaction, "", batch.id);
  const subject = { id: "", revision: batchRevision };
  if (approvals.some((each) => repeats(each, request, subject, person))) return noEffects(undefined);
  const outcome = decideBatchApproval(
    knownBatchOf(batch, approvals),
    { approve: request.approve, kind, revision: request.revision },
    { nowMs, region: centre.region, person },
  );
  const { approval } = outcome;
  if (approval === undefined) return noEffects(undefined);
  const sent = approvalEvent(approval);
  await insertApproval(transaction, approval);
  await transaction
    .updateTable("batches")
    .set({
      missing: outcome.missing,
      refused: !approval.approved,
      effect_event: approval.complete ? sent.event : null,
    })
    .where("id", "=", batch.id)
    .execute();
  return approvalEffects(approval, sent, batch.id, undefined);
}

/**
 * The person has said exactly this before: the answer may have been lost, and
 * by now the approval may be complete.
 */
function repeats(
  earlier: Approval,
  request: DecideApprovalRequest,
  subject: { readonly id: string; readonly revision: number },
  person: Person,
): boolean {
  return (
    earlier.directive === subject.id &&
    earlier.revision === subject.revision &&
    (request.revision === 0 || request.revision === subject.revision) &&
    earlier.person === person.id &&
    earlier.approved === request.approve &&
    (request.kind === "" || earlier.kind === request.kind)
  );
}
