import type { Approval } from "#domain/opinion.ts";
import type { Effects } from "../centre.ts";
import type { AuditEntry } from "../store/audit.ts";
import { outgoing, type Outgoing } from "../store/outbox.ts";

/** An approval overtakes the import that it may be about: overlays keep it until the members come. */
export function approvalEvent(approval: Approval): Outgoing {
  return outgoing("urgent", { $case: "approval", value: approval }, approval.atMs);
}

/** What every approval leaves: one line of the audit, one event. */
export function approvalEffects<Result>(
  approval: Approval,
  sent: Outgoing,
  subject: string,
  result: Result,
): Effects<Result> {
  const audit: AuditEntry = {
    atMs: approval.atMs,
    person: approval.person,
    role: approval.role,
    what: approval.approved ? "approved" : "refused",
    subject,
    detail: { revision: approval.revision, kind: approval.kind, complete: approval.complete },
  };
  return { result, audit: [audit], events: [sent] };
}
