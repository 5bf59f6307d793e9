import { parseWord } from "./invalid-input.ts";

/** What a directive orders about its target. */
export const actions = ["allow", "warn", "divert", "block", "observe"] as const;
export type Action = (typeof actions)[number];

/** What a switch may be told about a call. */
export const verdicts = ["allow", "warn", "divert", "block"] as const;
export type Verdict = (typeof verdicts)[number];

/** How far a directive reaches. */
export const scopes = ["nation", "region"] as const;
export type Scope = (typeof scopes)[number];

export const roles = [
  "operator",
  "analyst",
  "regional-prosecutor",
  "central-prosecutor",
  "platform-engineer",
  "carrier",
] as const;
export type Role = (typeof roles)[number];

export const directiveStates = ["held", "regional", "national", "rejected", "revoked", "expired"] as const;
export type DirectiveState = (typeof directiveStates)[number];

export const approvalKinds = ["second-person", "second-region", "carrier"] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

/** The three entries that a target may have in the national table, folded apart. */
export const slots = ["measure", "allow", "observe"] as const;
export type Slot = (typeof slots)[number];

/** What the capital makes of one revision of an opinion. */
export const decisionWords = ["accepted", "held", "rejected", "revoked", "expired"] as const;
export type DecisionWord = (typeof decisionWords)[number];

/** Region of those who act for the nation. */
export const capital = "capital";

/** Somebody who acts, as the token says. */
export interface Person {
  /** Subject of the token; no name. */
  id: string;
  role: Role;
  /** Slug, or `capital`. */
  region: string;
  /** The carrier that a person with role `carrier` speaks for. */
  carrier?: string;
}

const strictness: Readonly<Record<Verdict, number>> = { allow: 0, warn: 1, divert: 2, block: 3 };

/** Positive when `left` is stricter: block > divert > warn > allow. */
export function compareStrictness(left: Verdict, right: Verdict): number {
  return strictness[left] - strictness[right];
}

/** The slot of the national table that an action is folded into. */
export function slotOf(action: Action): Slot {
  return action === "allow" || action === "observe" ? action : "measure";
}

/** Whether the role is a prosecutor's: regional or central. */
export function isProsecutor(role: string): boolean {
  return role === "regional-prosecutor" || role === "central-prosecutor";
}

/**
 * Slug of the region that gave an id (`<slug>-<ULID>`) of a directive, batch or
 * piece of intelligence; empty when the text is no such id. Slugs have hyphens
 * themselves, so a prefix comparison would be wrong.
 */
export function regionOfId(id: string): string {
  const hyphen = id.lastIndexOf("-");
  return hyphen > 0 ? id.slice(0, hyphen) : "";
}

/** @throws InvalidInput `unknown-value` */
export function parseAction(field: string, text: string): Action {
  return parseWord(actions, field, text);
}

/** @throws InvalidInput `unknown-value` */
export function parseScope(field: string, text: string): Scope {
  return parseWord(scopes, field, text);
}

/** @throws InvalidInput `unknown-value` */
export function parseRole(field: string, text: string): Role {
  return parseWord(roles, field, text);
}

/** @throws InvalidInput `unknown-value` */
export function parseDirectiveState(field: string, text: string): DirectiveState {
  return parseWord(directiveStates, field, text);
}

/** @throws InvalidInput `unknown-value` */
export function parseApprovalKind(field: string, text: string): ApprovalKind {
  return parseWord(approvalKinds, field, text);
}
