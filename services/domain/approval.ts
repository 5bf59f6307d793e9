import type { Approval } from "./opinion.ts";
import { batchRevision } from "./opinion.ts";
import type { Needs } from "./powers.ts";
import type { ApprovalKind } from "./vocabulary.ts";
import { approvalKinds, regionOfId } from "./vocabulary.ts";

/** What an approval speaks about: one revision of a directive, or a batch (id empty, revision 1). */
export interface ApprovalSubject {
  id: string;
  revision: number;
  batch: string;
  author: string;
}

/** Who gives an approval. */
export interface Approver {
  person: string;
  role: string;
  /** The region whose centre wrote it; a central prosecutor acts through any. */
  region: string;
}

/** The region whose directive or batch it is. */
export function regionOfSubject(subject: ApprovalSubject): string {
  return regionOfId(subject.id === "" ? subject.batch : subject.id);
}

/**
 * Whether this person can give this kind for this subject: never the author; a
 * second person from the directive's own region or the capital, in a role that
 * is enough; a second region's prosecutor from any other region; a carrier.
 */
export function mayGive(
  kind: ApprovalKind,
  approver: Approver,
  subject: ApprovalSubject,
  needs: Needs,
): boolean {
  if (approver.person === subject.author || approver.person === "") {
    return false;
  }
  const ownRegion = approver.region === regionOfSubject(subject);
  switch (kind) {
    case "second-person":
      return (
        (ownRegion || approver.role === "central-prosecutor") &&
        needs.secondPersonRoles.some((role) => role === approver.role)
      );
    case "second-region":
      return !ownRegion && approver.role === "regional-prosecutor";
    case "carrier":
      return approver.role === "carrier";
  }
}

/** Kinds that are asked for at all, in whichever set. */
export function askedKinds(needs: Needs): ApprovalKind[] {
  return approvalKinds.filter((kind) => needs.alternatives.some((set) => set.includes(kind)));
}

/** Whether the approval speaks of exactly this revision, or of its batch as it was accepted. */
function speaksOf(approval: Approval, subject: ApprovalSubject): boolean {
  if (approval.directive !== "") {
    return approval.directive === subject.id && approval.revision === subject.revision;
  }
  return subject.batch !== "" && approval.batch === subject.batch && subject.revision === batchRevision;
}

/** The approvals, given or refused, that count for this subject. Others are ignored, whoever wrote them. */
function countingApprovals(
  needs: Needs,
  subject: ApprovalSubject,
  approvals: readonly Approval[],
): { kind: ApprovalKind; person: string; approved: boolean }[] {
  return approvals.flatMap((approval) => {
    const kind = askedKinds(needs).find((each) => each === approval.kind);
    return kind !== undefined && speaksOf(approval, subject) && mayGive(kind, approval, subject, needs)
      ? [{ kind, person: approval.person, approved: approval.approved }]
      : [];
  });
}

/** Whether somebody who could approve has refused; one refusal rejects, whatever others approved. */
export function isRefused(needs: Needs, subject: ApprovalSubject, approvals: readonly Approval[]): boolean {
  return countingApprovals(needs, subject, approvals).some((approval) => !approval.approved);
}

/**
 * The kinds that are still missing; empty when the approvals are complete. Where
 * several sets would do, those that need the fewest more are named.
 */
export function missingApprovals(
  needs: Needs,
  subject: ApprovalSubject,
  approvals: readonly Approval[],
): ApprovalKind[] {
  const given = countingApprovals(needs, subject, approvals).filter((approval) => approval.approved);
  const lacking = needs.alternatives.map((set) => lackingOf(set, given, new Set()));
  const fewest = Math.min(...lacking.map((kinds) => kinds.length));
  return approvalKinds.filter((kind) =>
    lacking.some((kinds) => kinds.length === fewest && kinds.includes(kind)),
  );
}

/** What a set lacks when each of its kinds takes a person of its own; a set has three kinds at most. */
function lackingOf(
  set: readonly ApprovalKind[],
  given: readonly { kind: ApprovalKind; person: string }[],
  taken: ReadonlySet<string>,
): ApprovalKind[] {
  const [kind, ...others] = set;
  if (kind === undefined) {
    return [];
  }
  let best = [kind, ...lackingOf(others, given, taken)];
  for (const { person } of given.filter((each) => each.kind === kind && !taken.has(each.person))) {
    const lacking = lackingOf(others, given, new Set([...taken, person]));
    if (lacking.length < best.length) {
      best = lacking;
    }
  }
  return best;
}
