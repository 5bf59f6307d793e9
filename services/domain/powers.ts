import type { LegalBasis } from "./catalogue.ts";
import { legalBases } from "./catalogue.ts";
import { InvalidInput } from "./invalid-input.ts";
import type { Opinion } from "./opinion.ts";
import type { Circumstance, Grant, PowerRow, TargetClass } from "./powers-table.ts";
import {
  dailyTargetsMax,
  dayMs,
  issuingRoles,
  longestTermMs,
  powerRows,
  secondPersonRoles,
  smallRangeNumbersMax,
} from "./powers-table.ts";
import type { Target } from "./target.ts";
import { parseTargetKey, rangeSize, targetNation } from "./target.ts";
import type { TrunkDirection } from "./trunk.ts";
import { internationalWord } from "./trunk.ts";
import type { Action, ApprovalKind, Role, Scope } from "./vocabulary.ts";
import { actions, approvalKinds, isProsecutor, scopes } from "./vocabulary.ts";

/** What powers look at. An Opinion is one. */
export type PowersQuestion = Pick<
  Opinion,
  | "target"
  | "action"
  | "scope"
  | "basis"
  | "authorRole"
  | "expiresAtMs"
  | "termFromMs"
  | "overrideRevision"
  | "batch"
  | "falseStopOf"
  | "beyondDailyTargets"
>;

export interface PowersContext {
  /** Direction of a trunk, or undefined where it is not known: then powers are the narrower ones. */
  trunkDirection(trunk: string): TrunkDirection | undefined;
}

/** Approvals that are asked for before a directive counts. */
export interface Needs {
  kind: "needs";
  /** Sets of approvals, any one of them enough; all kinds of a set, each by another person. */
  alternatives: ApprovalKind[][];
  /** Roles that can be the second person. */
  secondPersonRoles: Role[];
}

/** No approval could make it right. */
export interface Forbidden {
  kind: "forbidden";
  /** What stands in the way: action, basis, expires, override, role, scope or target. */
  field: string;
  reason: string;
  remedy: string;
}

export type Requirement = { kind: "alone" } | Needs | Forbidden;

/**
 * What a directive asks for before it counts, by the table of powers and the
 * catalogue of legal bases. Nothing is cut down to what its author may do.
 */
export function requirement(question: PowersQuestion, context: PowersContext): Requirement {
  const action = actions.find((each) => each === question.action);
  if (action === undefined) {
    return forbidden(
      "action",
      "the action is not known to this release",
      `Use one of: ${actions.join(", ")}.`,
    );
  }
  const target = readTarget(question.target);
  if (target === undefined) {
    return forbidden("target", "the target is not known to this release", "Give a canonical target key.");
  }
  const basis = legalBases.find((each) => each.code === question.basis);
  const refused = neverAllowed(question, action, target, basis);
  if (refused !== undefined) {
    return refused;
  }
  const asked = rowsAbout(question, action, classify(target, context))
    .filter((row) => !row.alone.some((grant) => covers(grant, question, action)))
    .map((row) => row.beyond[isProsecutor(question.authorRole) ? "prosecutor" : "others"]);
  return needsOf(asked, question.authorRole, basis);
}

/** The class of a target; numbers of ranges that Kazakhstan shares with Russia are as Kazakh ones. */
export function classify(target: Target, context: PowersContext): TargetClass {
  if (target.kind === "trunk") {
    return "trunk";
  }
  const foreign = targetNation(target) === "foreign";
  if (target.kind === "range") {
    if (!foreign) {
      return "kazakh-range";
    }
    return rangeSize(target) > smallRangeNumbersMax ? "large-foreign-range" : "foreign-number";
  }
  if (foreign) {
    return "foreign-number";
  }
  return target.kind === "number-on-trunk" && isInternational(target.trunk, context)
    ? "kazakh-number-on-international-trunk"
    : "kazakh-number-everywhere";
}

/** Whether the trunk of a number-on-trunk target is surely international. */
function isInternational(trunk: string, context: PowersContext): boolean {
  return trunk === internationalWord || context.trunkDirection(trunk) === "international";
}

/** The widest scope that the author may decide alone; undefined: none, it would be held. */
export function widestScopeAlone(
  question: Omit<PowersQuestion, "scope">,
  context: PowersContext,
): Scope | undefined {
  const wide: readonly Scope[] = question.overrideRevision > 0 ? ["nation"] : ["nation", "region"];
  return wide.find((scope) => requirement({ ...question, scope }, context).kind === "alone");
}

/** One revision of a directive that its author wrote outside of any batch. */
export interface TargetUse {
  target: string;
  acceptedAtMs: number;
}

/**
 * Whether one more directive on this target makes more than 50 targets of its
 * author in a rolling day.
 * @param uses every revision (also held, revoked, rejected) that the author wrote in the last 24 hours at
 *   least, without members of batches: those wait for a second person anyhow
 */
export function isBeyondDailyTargets(uses: readonly TargetUse[], target: string, nowMs: number): boolean {
  const others = usedTargets(uses, nowMs);
  others.delete(target);
  return others.size >= dailyTargetsMax;
}

/** How many new targets the author may still name in this rolling day without a second person. */
export function targetsLeft(uses: readonly TargetUse[], nowMs: number): number {
  return Math.max(0, dailyTargetsMax - usedTargets(uses, nowMs).size);
}

function usedTargets(uses: readonly TargetUse[], nowMs: number): Set<string> {
  return new Set(uses.filter((use) => use.acceptedAtMs >= nowMs - dayMs).map((use) => use.target));
}

/** Undefined for a key that another release may know: an opinion that came up must never stop the fold. */
function readTarget(key: string): Target | undefined {
  try {
    return parseTargetKey(key);
  } catch (error) {
    if (error instanceof InvalidInput) {
      return undefined;
    }
    throw error;
  }
}

function neverAllowed(
  question: PowersQuestion,
  action: Action,
  target: Target,
  basis: LegalBasis | undefined,
): Forbidden | undefined {
  if (!issuingRoles.some((role) => role === question.authorRole)) {
    return forbidden(
      "role",
      "this role issues no directives",
      `It takes one of: ${issuingRoles.join(", ")}.`,
    );
  }
  if (!scopes.some((scope) => scope === question.scope)) {
    return forbidden("scope", "the scope is not known", `Give one of: ${scopes.join(", ")}.`);
  }
  if (question.overrideRevision > 0 && !isProsecutor(question.authorRole)) {
    return forbidden("override", "only a prosecutor overrides", "Ask a regional prosecutor to issue it.");
  }
  if (action === "allow" && (target.kind === "range" || target.kind === "trunk")) {
    return forbidden(
      "target",
      "allow is for a number, everywhere or on one trunk",
      "Name the single numbers.",
    );
  }
  return longerThanCarried(question, action, basis) ?? notCarried(action, target, basis);
}

function longerThanCarried(
  question: PowersQuestion,
  action: Action,
  basis: LegalBasis | undefined,
): Forbidden | undefined {
  const mostMs = Math.min(longestTermMs[action] ?? Infinity, (basis?.termDaysMax ?? Infinity) * dayMs);
  if (question.expiresAtMs - question.termFromMs <= mostMs) {
    return undefined;
  }
  return forbidden(
    "expires",
    `${action} ends at most ${mostMs / dayMs} days after its author's first directive on the target`,
    "Give an earlier end, or let another person decide anew.",
  );
}

function notCarried(action: Action, target: Target, basis: LegalBasis | undefined): Forbidden | undefined {
  if (basis === undefined) {
    return forbidden("basis", "the legal basis is not in the catalogue", "See `directive bases`.");
  }
  if (!basis.actions.includes(action)) {
    return forbidden(
      "basis",
      `${basis.code} does not carry ${action}`,
      `It carries: ${basis.actions.join(", ")}.`,
    );
  }
  if (!basis.targetKinds.includes(target.kind)) {
    return forbidden(
      "basis",
      `${basis.code} is not for this target`,
      `It is for: ${basis.targetKinds.join(", ")}.`,
    );
  }
  return undefined;
}

function rowsAbout(question: PowersQuestion, action: Action, target: TargetClass): PowerRow[] {
  const circumstances = new Set<Circumstance>();
  if (question.batch !== "") {
    circumstances.add("batch");
  }
  if (question.beyondDailyTargets) {
    circumstances.add("beyond-daily-targets");
  }
  return powerRows.filter(
    (row) =>
      row.targets.includes(target) &&
      row.actions.includes(action) &&
      (row.circumstance === undefined || circumstances.has(row.circumstance)),
  );
}

function covers(grant: Grant, question: PowersQuestion, action: Action): boolean {
  return (
    grant.roles.some((role) => role === question.authorRole) &&
    grant.actions.includes(action) &&
    (question.scope === "region" || (question.scope === "nation" && grant.scope === "nation")) &&
    question.expiresAtMs - question.termFromMs <= grant.termMs &&
    (!grant.afterFalseStop || question.falseStopOf !== "")
  );
}

/** Joins what the rows ask; a basis that the author may not sign asks for a second person who may. */
function needsOf(
  asked: readonly (readonly (readonly ApprovalKind[])[])[],
  authorRole: string,
  basis: LegalBasis | undefined,
): Requirement {
  const mayPersons = isProsecutor(authorRole) ? secondPersonRoles.ofProsecutor : secondPersonRoles.ofOthers;
  const authorSigns = basis === undefined || basis.signers.some((role) => role === authorRole);
  const persons = authorSigns ? mayPersons : mayPersons.filter((role) => basis.signers.includes(role));
  const all: typeof asked = authorSigns ? asked : [...asked, [["second-person"]]];
  if (all.length === 0) {
    return { kind: "alone" };
  }
  const joined = all.reduce<ApprovalKind[][]>(
    (sets, row) => sets.flatMap((set) => row.map((more) => union(set, more))),
    [[]],
  );
  return { kind: "needs", alternatives: withoutWider(joined), secondPersonRoles: [...persons] };
}

function union(left: readonly ApprovalKind[], right: readonly ApprovalKind[]): ApprovalKind[] {
  return approvalKinds.filter((kind) => left.includes(kind) || right.includes(kind));
}

/** Drops a set that asks for everything that another asks for, and repeats. */
function withoutWider(sets: readonly ApprovalKind[][]): ApprovalKind[][] {
  return sets.filter((set, index) =>
    sets.every((other, otherIndex) => {
      const within = other.every((kind) => set.includes(kind));
      const same = within && other.length === set.length;
      return index === otherIndex || !within || (same && index < otherIndex);
    }),
  );
}

function forbidden(field: string, reason: string, remedy: string): Forbidden {
  return { kind: "forbidden", field, reason, remedy };
}
