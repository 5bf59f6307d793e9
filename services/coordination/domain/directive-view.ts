import { stateOf } from "#domain/directive-state.ts";
import type { DirectiveView, EnforcementReceipt, StoryLine } from "#proto/qalqan/centre/v1/centre.ts";
import type { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";

/** The decision of the capital on a directive that was published last. */
export interface StoredDecision {
  readonly revision: number;
  readonly decision: string;
  readonly reason: string;
  readonly missing: readonly string[];
  readonly sequence: number;
  readonly atMs: number;
}

/** All that the capital knows of one directive. */
export interface DirectiveKnowledge {
  readonly directive: Directive;
  readonly decision: StoredDecision | undefined;
  /** Of the directive, and of its batch. */
  readonly approvals: readonly Approval[];
  readonly batchRevoked: boolean;
  /** Since when regions enforce the decision; regions that do not are missing. */
  readonly enforcedAtMs: ReadonlyMap<string, number>;
}

/** What the capital sees of the nation at the moment of a view. */
export interface ViewMoment {
  readonly nowMs: number;
  readonly regions: readonly {
    readonly region: string;
    readonly isAwaited: boolean;
    readonly isCutOff: boolean;
  }[];
}

/** A directive as the capital knows it, with the receipts of all regions. */
export function directiveView(known: DirectiveKnowledge, moment: ViewMoment): DirectiveView {
  const { directive, decision, approvals, batchRevoked } = known;
  const own = directive.id.slice(0, directive.id.lastIndexOf("-"));
  const decided = isAbout(decision, known) ? decision : undefined;
  const refused = approvals.some(
    ({ approved, directive: id, revision }) => !approved && (id === "" || revision === directive.revision),
  );
  const standing = stateOf(
    directive,
    {
      decisions: decision === undefined ? [] : [decisionEvent(own, directive.id, decision)],
      missing: missingNow(directive, decided, approvals),
      refused: refused && decided?.decision === "rejected",
      batchRevoked,
    },
    moment.nowMs,
  );
  const receipts = decided === undefined ? waitingReceipts(moment) : receiptsOf(known, moment);
  const isAtRest = standing.state === "held" || standing.state === "rejected" || standing.state === "expired";
  // A decision to hold or to reject is known everywhere, and nothing is enforced by it.
  const isEnforced =
    directive.scope !== "region" && standing.state !== "held" && standing.state !== "rejected";
  const isSettled = decided !== undefined && receipts.every(({ state }) => state !== "waiting");
  return {
    id: directive.id,
    revision: directive.revision,
    nationalRevision: decision?.sequence ?? 0,
    scope: directive.scope,
    state: standing.state,
    missing: standing.missing,
    target: directive.target,
    action: directive.action,
    batch: directive.batch,
    receipts: isEnforced ? receipts : [],
    basis: directive.basis,
    reason: directive.reason,
    author: directive.author,
    acceptedAtMs: directive.acceptedAtMs,
    expiresAtMs: directive.expiresAtMs,
    stateReason: standing.reason,
    story: storyOf(directive, decision, approvals),
    regionCutOff: moment.regions.find(({ region }) => region === own)?.isCutOff ?? true,
    // What a region enforces for itself alone, only that region knows.
    settled: isAtRest || isSettled,
  };
}

/** Whether a decision speaks of what is true now: of this revision, and of the end of its batch. */
function isAbout(
  decision: StoredDecision | undefined,
  { directive, batchRevoked }: DirectiveKnowledge,
): boolean {
  if (decision?.revision !== directive.revision) return false;
  return !batchRevoked || (decision.decision !== "accepted" && decision.decision !== "held");
}

/** Approvals that are missing: by the capital's decision, else by what the region said when it accepted. */
function missingNow(
  directive: Directive,
  decided: StoredDecision | undefined,
  approvals: readonly Approval[],
): readonly string[] {
  if (decided !== undefined) return decided.decision === "held" ? decided.missing : [];
  const isComplete = approvals.some(
    ({ complete, revision, directive: id }) => complete && (id === "" || revision === directive.revision),
  );
  return isComplete ? [] : directive.missing;
}

function decisionEvent(region: string, directive: string, decision: StoredDecision) {
  return { ...decision, region, directive, missing: [...decision.missing] };
}

function waitingReceipts(moment: ViewMoment): EnforcementReceipt[] {
  return moment.regions.map(({ region, isAwaited }) => ({
    region,
    state: isAwaited ? "waiting" : "cut-off",
    enforcedAtMs: 0,
    milliseconds: -1,
  }));
}

function receiptsOf(
  { directive, enforcedAtMs }: DirectiveKnowledge,
  moment: ViewMoment,
): EnforcementReceipt[] {
  return waitingReceipts(moment).map((receipt) => {
    const atMs = enforcedAtMs.get(receipt.region);
    if (atMs === undefined) return receipt;
    const milliseconds = Math.max(0, atMs - directive.acceptedAtMs);
    return { region: receipt.region, state: "enforced", enforcedAtMs: atMs, milliseconds };
  });
}

function storyOf(
  directive: Directive,
  decision: StoredDecision | undefined,
  approvals: readonly Approval[],
): StoryLine[] {
  const lines: StoryLine[] = [
    {
      atMs: directive.acceptedAtMs,
      what: directive.revoked ? "revoked" : directive.revision === 1 ? "accepted" : "extended",
      person: directive.revoked ? directive.revokedBy : directive.author,
      revision: directive.revision,
      detail: directive.missing.join(","),
    },
    ...approvals.map(({ atMs, approved, person, revision, kind }) => ({
      atMs,
      what: approved ? "approved" : "refused",
      person,
      revision,
      detail: kind,
    })),
  ];
  if (decision !== undefined) {
    const detail = [decision.decision, decision.reason].filter((word) => word !== "").join(": ");
    lines.push({ atMs: decision.atMs, what: "decided", person: "", revision: decision.revision, detail });
  }
  return lines.toSorted((left, right) => left.atMs - right.atMs);
}
