import { isRefused, missingApprovals } from "./approval.ts";
import type { Approval, Opinion } from "./opinion.ts";
import type { PowersContext } from "./powers.ts";
import { requirement } from "./powers.ts";
import { parseTargetKey } from "./target.ts";
import type { TrunkDirection } from "./trunk.ts";
import { internationalWord } from "./trunk.ts";
import type { DecisionWord } from "./vocabulary.ts";

export interface StandingContext extends PowersContext {
  /** Milliseconds since 1970. */
  nowMs: number;
  /** All approvals, given and refused, of this revision of a directive, and those of its batch. */
  approvalsOf(directive: string, revision: number, batch: string): readonly Approval[];
  isRevokedBatch(batch: string): boolean;
  /** `originatesFrom` of a protected number; undefined: not protected. */
  protectedTrunksOf(number: string): readonly string[] | undefined;
}

/** Why a decision on an opinion is not `accepted`. */
export type StandingReason =
  | ""
  /** Held: approvals are missing. */
  | "approval"
  /** Held: an observe holds it back. */
  | "observed"
  | "powers"
  | "protected"
  | "refused"
  | "overridden"
  | "conflict"
  | "batch-revoked";

/** Where one opinion stands; `accepted`: it counts. */
export interface Standing {
  decision: DecisionWord;
  reason: string;
  missing: string[];
}

/**
 * Where an opinion stands by itself, before overrides and observes: not revoked,
 * not expired, with every approval that its power asks for, and not against a
 * protected number's own trunk.
 */
export function standingOf(opinion: Opinion, context: StandingContext): Standing {
  if (opinion.revoked) {
    return standing("revoked", "");
  }
  if (opinion.batch !== "" && context.isRevokedBatch(opinion.batch)) {
    return standing("revoked", "batch-revoked");
  }
  const asked = requirement(opinion, context);
  if (asked.kind === "forbidden") {
    return standing("rejected", "powers");
  }
  const approvals =
    asked.kind === "needs" ? context.approvalsOf(opinion.id, opinion.revision, opinion.batch) : [];
  // A refusal is for good, so it is said before the end that comes to everything.
  if (asked.kind === "needs" && isRefused(asked, opinion, approvals)) {
    return standing("rejected", "refused");
  }
  if (opinion.expiresAtMs <= context.nowMs) {
    return standing("expired", "");
  }
  if (isAgainstProtected(opinion, context)) {
    return standing("rejected", "protected");
  }
  const missing = asked.kind === "needs" ? missingApprovals(asked, opinion, approvals) : [];
  return missing.length > 0 ? { decision: "held", reason: "approval", missing } : standing("accepted", "");
}

/**
 * Whether a measure is aimed at a protected number where it really originates:
 * at the number everywhere, or on one of its own trunks. `allow` and `observe`
 * take nothing from it.
 */
export function isAgainstProtected(
  opinion: Pick<Opinion, "target" | "action">,
  context: Pick<StandingContext, "protectedTrunksOf" | "trunkDirection">,
): boolean {
  if (opinion.action === "allow" || opinion.action === "observe") {
    return false;
  }
  const target = parseTargetKey(opinion.target);
  if (target.kind !== "number" && target.kind !== "number-on-trunk") {
    return false;
  }
  const own = context.protectedTrunksOf(target.number);
  if (own === undefined) {
    return false;
  }
  return (
    target.kind === "number" || own.some((trunk) => overlap(trunk, target.trunk, context.trunkDirection))
  );
}

/** Whether two names, each a trunk id or the word `international`, have a trunk in common. */
function overlap(
  left: string,
  right: string,
  directionOf: (trunk: string) => TrunkDirection | undefined,
): boolean {
  if (left === right) {
    return true;
  }
  return (
    (left === internationalWord && directionOf(right) === "international") ||
    (right === internationalWord && directionOf(left) === "international")
  );
}

function standing(decision: DecisionWord, reason: StandingReason): Standing {
  return { decision, reason, missing: [] };
}
