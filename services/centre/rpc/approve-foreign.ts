import { batchRevision, type Approval } from "#domain/opinion.ts";
import { Refusal } from "#domain/refusal.ts";
import { regionOfId, type ApprovalKind, type Person } from "#domain/vocabulary.ts";
import type { BatchView, DecideApprovalRequest, DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre, type Effects } from "../centre.ts";
import { insertApproval, readApprovals } from "../store/approvals.ts";
import type { CentreTransaction } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";
import { approvalEffects, approvalEvent } from "./approval-effects.ts";
import { notFound } from "./not-found.ts";

/**
 * Approves another region's held directive as the second region, or as a
 * carrier. Of such a directive this region knows only what NATIONAL says is
 * missing; the capital checks powers and revision again.
 */
export async function approveForeign(
  centre: Centre,
  request: DecideApprovalRequest,
  kind: ApprovalKind | undefined,
  person: Person,
): Promise<DirectiveView> {
  return centre.accept((transaction) => approve(centre, transaction, request, kind, person));
}

async function approve(
  centre: Centre,
  transaction: CentreTransaction,
  request: DecideApprovalRequest,
  asked: ApprovalKind | undefined,
  person: Person,
): Promise<Effects<DirectiveView>> {
  const id = request.directive;
  await lock(transaction, [`directive:${id}`]);
  const kind = kindOf(person, asked);
  const held = await transaction
    .selectFrom("foreign_held")
    .selectAll()
    .where("directive", "=", id)
    .executeTakeFirst();
  if (regionOfId(id) === "" || (held === undefined && request.revision === 0))
    throw notFound("directive", id);
  const revision = request.revision === 0 ? (held?.revision ?? 0) : request.revision;
  if (held !== undefined && revision < held.revision) {
    throw conflict("revision", String(revision), `the directive is at revision ${held.revision} now`);
  }
  if (held !== undefined && revision === held.revision && !held.missing.includes(kind)) {
    throw conflict("kind", kind, `what is missing is ${held.missing.join(", ")}`);
  }
  const approval = approvalOf(centre, person, kind, { directive: id, revision, batch: "" }, request.approve);
  return write(transaction, approval, viewOfForeign(approval, held?.missing ?? [kind]));
}

/**
 * Approves another region's batch in the same way. NATIONAL does not repeat
 * what each of its members waits for, so this region knows nothing of it; the
 * capital judges whether the approval counts.
 */
export async function approveForeignBatch(
  centre: Centre,
  request: DecideApprovalRequest,
  asked: ApprovalKind | undefined,
  person: Person,
): Promise<BatchView> {
  const { batch, approve: approved } = request;
  const kind = kindOf(person, asked);
  if (regionOfId(batch) === "") throw notFound("batch", batch);
  if (request.revision !== 0 && request.revision !== batchRevision) {
    throw conflict("revision", String(request.revision), "a batch is approved as it was accepted");
  }
  return centre.accept(async (transaction) => {
    await lock(transaction, [`batch:${batch}`]);
    const subject = { directive: "", revision: batchRevision, batch };
    const approval = approvalOf(centre, person, kind, subject, approved);
    return write(transaction, approval, viewOfForeignBatch(approval));
  });
}

function approvalOf(
  centre: Centre,
  person: Person,
  kind: ApprovalKind,
  subject: Pick<Approval, "directive" | "revision" | "batch">,
  approved: boolean,
): Approval {
  const approver = { person: person.id, role: person.role, region: centre.region };
  // Only the own region of what is approved says that nothing is missing any more.
  return { ...subject, ...approver, kind, approved, atMs: Date.now(), complete: false };
}

/** The same said again by the same person changes nothing. */
async function write<View>(
  transaction: CentreTransaction,
  approval: Approval,
  view: View,
): Promise<Effects<View>> {
  const { directive, batch } = approval;
  const earlier = await readApprovals(transaction, directive, batch);
  if (earlier.some((each) => isSame(each, approval))) return noEffects(view);
  await insertApproval(transaction, approval);
  return approvalEffects(approval, approvalEvent(approval), directive === "" ? batch : directive, view);
}

function kindOf(person: Person, asked: ApprovalKind | undefined): ApprovalKind {
  const can =
    person.role === "regional-prosecutor"
      ? "second-region"
      : person.role === "carrier"
        ? "carrier"
        : undefined;
  if (can !== undefined && (asked === undefined || asked === can)) return can;
  throw new Refusal({
    code: "forbidden",
    field: "authorization.role",
    value: person.role,
    message: `a ${person.role} cannot give ${asked ?? "an approval"} to what another region decided`,
    remedy: "a regional prosecutor approves it as the second region, a carrier confirms it",
  });
}

function isSame(left: Approval, right: Approval): boolean {
  return (
    left.revision === right.revision &&
    left.person === right.person &&
    left.kind === right.kind &&
    left.approved === right.approved
  );
}

function conflict(field: string, value: string, message: string): Refusal {
  return new Refusal({ code: "conflict", field, value, message, remedy: "look at the directive again" });
}

/** This region does not have the directive: the view says no more than what was approved. */
function viewOfForeign(approval: Approval, missing: readonly string[]): DirectiveView {
  return {
    id: approval.directive,
    revision: approval.revision,
    nationalRevision: 0,
    scope: "nation",
    state: approval.approved ? "held" : "rejected",
    missing: approval.approved ? missing.filter((kind) => kind !== approval.kind) : [],
    target: "",
    action: "",
    batch: "",
    receipts: [],
    basis: "",
    reason: "",
    author: "",
    acceptedAtMs: 0,
    expiresAtMs: 0,
    stateReason: approval.approved ? "approval" : "refused",
    story: [
      {
        atMs: approval.atMs,
        what: approval.approved ? "approved" : "refused",
        person: approval.person,
        revision: approval.revision,
        detail: approval.kind,
      },
    ],
    regionCutOff: false,
    settled: true,
  };
}

/** This region does not have the batch either. */
function viewOfForeignBatch({ batch, approved }: Approval): BatchView {
  return {
    batch,
    state: approved ? "held" : "rejected",
    missing: [],
    directives: 0,
    author: "",
    acceptedAtMs: 0,
    receipts: [],
    nationalRevision: 0,
    action: "",
    regionCutOff: false,
    settled: true,
  };
}
