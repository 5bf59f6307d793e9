import type { Decision, Opinion } from "./opinion.ts";
import type { DirectiveState } from "./vocabulary.ts";

/** What a centre knows about a directive beside its latest revision. */
export interface KnownStanding {
  /** Decisions of the capital on it, oldest first; those on other revisions are passed over. */
  decisions: readonly Decision[];
  /** What is missing by the own region's judgement (approval.ts, missingApprovals), of this revision. */
  missing: readonly string[];
  /** Somebody who could approve this revision or its batch has refused. */
  refused: boolean;
  batchRevoked: boolean;
}

export interface DirectiveStanding {
  state: DirectiveState;
  /** Why it is held or rejected, or empty. */
  reason: string;
  missing: string[];
}

/** The state of a directive's latest revision, as its centre shows it. */
export function stateOf(directive: Opinion, known: KnownStanding, nowMs: number): DirectiveStanding {
  const decision = known.decisions.findLast((each) => each.revision === directive.revision);
  if (directive.revoked || known.batchRevoked || decision?.decision === "revoked") {
    return { state: "revoked", reason: known.batchRevoked ? "batch-revoked" : "", missing: [] };
  }
  if (known.refused) {
    return { state: "rejected", reason: "refused", missing: [] };
  }
  if (decision?.decision === "rejected") {
    return { state: "rejected", reason: decision.reason, missing: [] };
  }
  if (directive.expiresAtMs <= nowMs || decision?.decision === "expired") {
    return { state: "expired", reason: "", missing: [] };
  }
  if (decision?.decision === "accepted") {
    return { state: directive.scope === "region" ? "regional" : "national", reason: "", missing: [] };
  }
  if (known.missing.length > 0) {
    // Another region's approval is known to the capital alone, one given here just now to this region alone:
    // what both miss is missing. When nothing is left, the capital's word is on its way.
    const told =
      decision?.decision === "held" && decision.reason === "approval" ? decision.missing : undefined;
    const missing = known.missing.filter((kind) => told === undefined || told.includes(kind));
    return { state: "held", reason: "approval", missing };
  }
  // "Held for an approval" may be older than the approval that this region has seen since. Where it never
  // asked for one, the capital sees the powers otherwise, and that holds.
  const approvedSince = decision?.reason === "approval" && directive.missing.length > 0;
  if (decision?.decision === "held" && !approvedSince) {
    return { state: "held", reason: decision.reason, missing: [...decision.missing] };
  }
  return { state: "regional", reason: "", missing: [] };
}
