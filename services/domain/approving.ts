import type { Approver, ApprovalSubject } from "./approval.ts";
import { askedKinds, isRefused, mayGive, missingApprovals, regionOfSubject } from "./approval.ts";
import { parseReason } from "./catalogue.ts";
import type { ActingContext, DirectiveEvent, KnownDirective } from "./directive.ts";
import { checkAtHome, isProsecutorOf } from "./directive.ts";
import type { Approval } from "./opinion.ts";
import { batchRevision } from "./opinion.ts";
import type { Needs, PowersContext, Requirement } from "./powers.ts";
import { requirement } from "./powers.ts";
import { Refusal } from "./refusal.ts";
import type { ApprovalKind, DirectiveState } from "./vocabulary.ts";
import { approvalKinds, regionOfId } from "./vocabulary.ts";

export interface ApprovalCommand {
  approve: boolean;
  /** undefined: what is missing and this person can give. */
  kind: ApprovalKind | undefined;
  /** The revision that the person has seen; 0: the latest known. */
  revision: number;
}

export interface ApprovalOutcome {
  /** undefined: this person had said the same before, and nothing changes. */
  approval: Approval | undefined;
  /** held | regional | rejected, by what this centre knows. */
  state: DirectiveState;
  missing: ApprovalKind[];
  events: DirectiveEvent[];
}

/**
 * A person's yes or no to a held directive, of the own region or of another.
 * It counts for exactly the revision it names.
 * @throws Refusal `conflict` when nothing is to be approved or the revision moved; `forbidden` for the author,
 *   and for a person who cannot give what is missing
 */
export function decideApproval(
  known: KnownDirective & { approvals: readonly Approval[] },
  command: ApprovalCommand,
  context: ActingContext & PowersContext,
): ApprovalOutcome {
  const { directive, state, approvals } = known;
  if (command.revision !== 0 && command.revision !== directive.revision) {
    throw conflict(
      "revision",
      String(command.revision),
      `The directive is at revision ${directive.revision} now.`,
      "Look at it again, and approve that one.",
    );
  }
  if (state !== "held") {
    throw conflict("id", directive.id, `The directive is ${state}: nothing waits for an approval.`, "");
  }
  const asked = requirement(directive, context);
  return decide(directive, asked.kind === "needs" ? [asked] : [], approvals, command, context);
}

/** A batch as its centre knows it. */
export interface KnownBatch {
  /** `<slug>-<ULID>` */
  batch: string;
  author: string;
  /** What its members ask for, each kind of answer once: distinctNeeds. */
  needs: readonly Needs[];
  approvals: readonly Approval[];
  revoked: boolean;
}

/** What the members of a batch ask for, without repeats: kept with the batch when it is accepted. */
export function distinctNeeds(requirements: Iterable<Requirement>): Needs[] {
  const distinct = new Map<string, Needs>();
  for (const each of requirements) {
    if (each.kind === "needs") {
      distinct.set(JSON.stringify(each), each);
    }
  }
  return [...distinct.values()];
}

/** State and missing approvals of a batch, by what this centre knows; decisions of the capital come on top. */
export function batchStanding(batch: KnownBatch): { state: DirectiveState; missing: ApprovalKind[] } {
  const subject = subjectOf(batch);
  if (batch.revoked) {
    return { state: "revoked", missing: [] };
  }
  if (batch.needs.some((needs) => isRefused(needs, subject, batch.approvals))) {
    return { state: "rejected", missing: [] };
  }
  const missing = missingOfAll(batch.needs, subject, batch.approvals);
  return { state: missing.length > 0 ? "held" : "regional", missing };
}

/**
 * A person's yes or no to a whole batch, as it was accepted.
 * @throws Refusal as decideApproval
 */
export function decideBatchApproval(
  batch: KnownBatch,
  command: ApprovalCommand,
  context: ActingContext,
): ApprovalOutcome {
  const { state } = batchStanding(batch);
  if (state !== "held") {
    throw conflict("batch", batch.batch, `The batch is ${state}: nothing waits for an approval.`, "");
  }
  return decide(subjectOf(batch), batch.needs, batch.approvals, command, context);
}

/**
 * Withdraws a batch: its author alone may, and a prosecutor of its region or of
 * the capital. Revoking again changes nothing.
 * @throws InvalidInput reason
 * @throws Refusal `forbidden`
 */
export function decideBatchRevocation(
  batch: KnownBatch,
  command: { reason: string },
  context: ActingContext,
): { events: DirectiveEvent[] } {
  const { person, nowMs, region } = context;
  parseReason("reason", command.reason, "revoke");
  checkAtHome(context);
  const home = regionOfId(batch.batch);
  if (home !== region || (person.id !== batch.author && !isProsecutorOf(batch.batch, person))) {
    throw new Refusal({
      code: "forbidden",
      field: "batch",
      value: batch.batch,
      message: `Only its author and the prosecutors of ${home} may revoke this batch.`,
      remedy: "Ask its author or a prosecutor of that region.",
    });
  }
  if (batch.revoked) {
    return { events: [] };
  }
  const value = {
    batch: batch.batch,
    person: person.id,
    role: person.role,
    reason: command.reason,
    atMs: nowMs,
  };
  return { events: [{ lane: "urgent", body: { $case: "batchRevocation", value } }] };
}

function decide(
  subject: ApprovalSubject,
  needs: readonly Needs[],
  approvals: readonly Approval[],
  command: ApprovalCommand,
  context: ActingContext,
): ApprovalOutcome {
  checkAtHome(context);
  const approver = approverOf(context);
  const missing = missingOfAll(needs, subject, approvals);
  if (needs.length === 0 || missing.length === 0) {
    throw conflict("id", subject.id || subject.batch, "No approval is missing.", "");
  }
  const kind = chosenKind(subject, needs, approvals, command, approver);
  if (approvals.some((each) => says(each, kind, subject, approver.person, command.approve))) {
    return { approval: undefined, state: "held", missing, events: [] };
  }
  const approval: Approval = {
    directive: subject.id,
    revision: subject.revision,
    batch: subject.id === "" ? subject.batch : "",
    ...approver,
    kind,
    approved: command.approve,
    atMs: context.nowMs,
    complete: false,
  };
  const left = command.approve ? missingOfAll(needs, subject, [...approvals, approval]) : [];
  // Only the directive's own region says "complete": its overlay enforces from here on.
  approval.complete = command.approve && left.length === 0 && regionOfSubject(subject) === context.region;
  return {
    approval,
    state: !command.approve ? "rejected" : left.length > 0 ? "held" : "regional",
    missing: left,
    events: [{ lane: "urgent", body: { $case: "approval", value: approval } }],
  };
}

/** Everybody approves through the centre that is asked: its lane carries approvals of its own region alone. */
function approverOf({ person, region }: ActingContext): Approver {
  return { person: person.id, role: person.role, region };
}

function chosenKind(
  subject: ApprovalSubject,
  needs: readonly Needs[],
  approvals: readonly Approval[],
  command: ApprovalCommand,
  approver: Approver,
): ApprovalKind {
  const missing = missingOfAll(needs, subject, approvals);
  if (approver.person === subject.author) {
    throw new Refusal({
      code: "forbidden",
      field: "person",
      value: approver.person,
      message: "Nobody approves what he wrote himself.",
      remedy: `Ask another person: ${missing.join(" or ")} is missing.`,
    });
  }
  const can = approvalKinds.filter((kind) =>
    needs.some((each) => askedKinds(each).includes(kind) && mayGive(kind, approver, subject, each)),
  );
  const fitting = command.kind === undefined ? can : can.filter((kind) => kind === command.kind);
  // What is not missing any more can still be refused, and be said again by the same person.
  const kind =
    fitting.find((each) => missing.includes(each)) ??
    fitting.find(
      (each) =>
        !command.approve || approvals.some((known) => says(known, each, subject, approver.person, true)),
    );
  if (kind === undefined) {
    throw new Refusal({
      code: "forbidden",
      field: "role",
      value: approver.role,
      message: `A ${approver.role} of ${approver.region} cannot give what is missing: ${missing.join(", ")}.`,
      remedy: missing.map((each) => remedyOf[each]).join(" "),
    });
  }
  return kind;
}

const remedyOf: Readonly<Record<ApprovalKind, string>> = {
  "second-person": "A prosecutor of the directive's region or of the capital can be the second person.",
  "second-region": "A regional prosecutor of any other region can be the second region.",
  carrier: "A carrier can confirm it.",
};

function says(
  approval: Approval,
  kind: ApprovalKind,
  subject: ApprovalSubject,
  person: string,
  approved: boolean,
): boolean {
  const about = subject.id === "" ? approval.batch === subject.batch : approval.directive === subject.id;
  return (
    about &&
    approval.revision === subject.revision &&
    approval.person === person &&
    approval.kind === kind &&
    approval.approved === approved
  );
}

function missingOfAll(
  needs: readonly Needs[],
  subject: ApprovalSubject,
  approvals: readonly Approval[],
): ApprovalKind[] {
  const missing = new Set(needs.flatMap((each) => missingApprovals(each, subject, approvals)));
  return approvalKinds.filter((kind) => missing.has(kind));
}

function subjectOf(batch: KnownBatch): ApprovalSubject {
  return { id: "", revision: batchRevision, batch: batch.batch, author: batch.author };
}

function conflict(field: string, value: string, message: string, remedy: string): Refusal {
  return new Refusal({
    code: "conflict",
    field,
    value,
    message,
    remedy: remedy || "Nothing has to be done.",
  });
}
