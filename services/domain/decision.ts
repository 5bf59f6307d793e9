import type { CallQuestion, ReachableService } from "./call.ts";
import type { Collected, Identity, JudgedNumber, Match } from "./collect.ts";
import { numberClass } from "./number.ts";
import type { TargetKind } from "./target.ts";
import type { Verdict } from "./vocabulary.ts";
import { compareStrictness, isProsecutor } from "./vocabulary.ts";

/** What a rule alone, without a directive, finds about a calling number. */
export type RuleReason =
  /** A Kazakh number that cannot come from abroad, or whose subscriber is not roaming. */
  | "forged"
  /** A Kazakh mobile number from abroad, and nobody said whether its subscriber roams. */
  | "forged-unknown"
  /** A protected number on a trunk where it does not originate. */
  | "do-not-originate"
  /** A Kazakh number shown legitimately: the call was diverted at home from abroad. */
  | "diverted-from-abroad";

/**
 * Why a call is decided as it is: the called service (rule 1), the kind of
 * target of the directive that decided, a rule, `protected` (a protected number
 * where it really originates), or `no-match`.
 */
export type DecisionReason = ReachableService | TargetKind | RuleReason | "protected" | "no-match";

/** What the rule says about a call, before the trunk's mode and the stop switch. */
export interface Decided {
  decision: Verdict;
  reason: DecisionReason;
  /** Id of the directive that gave the reason, or empty. */
  directive: string;
  /** Which calling number gave the reason; empty: neither (the trunk, the called number, nothing). */
  identity: Identity;
  /** The call goes on with a warning, and its calling number must not be shown. */
  withholdCallerId: boolean;
  /** Everything that was collected, rules included. */
  matches: Match[];
  /** Ids of the observing directives: they change nothing and are recorded. */
  observed: string[];
}

/** Whether the reason says that the caller id is forged, for sure. */
export function isForgedReason(reason: string): boolean {
  return reason === "forged" || reason === "do-not-originate";
}

/** Whether a directive gave the reason: a call blocked or diverted for it is an intercepted one. */
export function isDirectiveReason(reason: string): boolean {
  return reason === "number-on-trunk" || reason === "number" || reason === "range" || reason === "trunk";
}

/**
 * Decides a call from everything that matches it (domain.md, "Deciding about a
 * call"). Two differing calling numbers are judged each by itself, and the
 * stricter judgement stands: what is said for one never loosens the other.
 */
export function decide(question: CallQuestion, collected: Collected): Decided {
  const judgements = collected.numbers.map((number) => judge(question, number, collected.trunk));
  const matches = [...judgements.flatMap((judgement) => judgement.matches), ...collected.trunk];
  const observed = matches.filter((match) => match.action === "observe").map((match) => match.directive);
  if (question.service !== undefined) {
    const reason = question.service;
    return {
      decision: "allow",
      reason,
      directive: "",
      identity: "",
      withholdCallerId: false,
      matches,
      observed,
    };
  }
  const { decision, reason, directive, identity } = judgements.reduce(stricter);
  const doubtful = judgements.some((judgement) => judgement.forgedUnknown);
  return {
    decision,
    reason,
    directive,
    identity,
    withholdCallerId: doubtful && decision === "warn",
    matches,
    observed,
  };
}

/** What is decided about one calling number. */
interface Judgement {
  decision: Verdict;
  reason: DecisionReason;
  directive: string;
  identity: Identity;
  forgedUnknown: boolean;
  /** What was collected about the number, the rule included. */
  matches: Match[];
}

/** The stricter judgement; of two equal ones that which a directive gave the reason for, else the first. */
function stricter(first: Judgement, second: Judgement): Judgement {
  const difference = compareStrictness(second.decision, first.decision);
  return difference > 0 || (difference === 0 && first.directive === "" && second.directive !== "")
    ? second
    : first;
}

function judge(question: CallQuestion, number: JudgedNumber, trunk: readonly Match[]): Judgement {
  const rule = ruleAbout(question, number);
  const matches = rule === undefined ? number.matches : [...number.matches, rule];
  const candidates = [...matches, ...trunk].filter((match) => canCount(match, number));
  const allows = candidates.filter(isExplicitAllow);
  const remaining = candidates.filter((match) => !allows.some((allow) => beats(allow, match)));
  const decisive = remaining.toSorted(byWeight)[0];
  const forgedUnknown = rule?.reason === "forged-unknown" && remaining.includes(rule);
  if (decisive === undefined) {
    const reason = number.protection === "own-trunk" ? "protected" : "no-match";
    return { decision: "allow", reason, directive: "", identity: "", forgedUnknown, matches };
  }
  return {
    // Observing ones were left out by canCount.
    decision: decisive.action === "observe" ? "allow" : decisive.action,
    reason: decisive.kind === "rule" ? (decisive.reason as RuleReason) : decisive.kind,
    directive: decisive.directive,
    identity: decisive.identity,
    forgedUnknown,
    matches,
  };
}

/**
 * Observing changes nothing. A protected number is no target where it really
 * originates; a directive about that whole trunk stands even so, or the number
 * would be a passport on it.
 */
function canCount(match: Match, number: JudgedNumber): boolean {
  if (match.action === "observe") {
    return false;
  }
  return number.protection !== "own-trunk" || match.action === "allow" || match.kind === "trunk";
}

/** Rule 3: given by a prosecutor, or by an operator after a false stop; on a number or number on trunk. */
function isExplicitAllow(match: Match): boolean {
  return (
    match.action === "allow" &&
    (match.kind === "number" || match.kind === "number-on-trunk") &&
    (isProsecutor(match.authorRole) || match.falseStopOf !== "")
  );
}

/** Whether an explicit allow makes a match count no more. */
function beats(allow: Match, match: Match): boolean {
  switch (match.kind) {
    case "range":
    case "trunk":
      return true;
    case "rule":
      return allow.kind === "number-on-trunk";
    case "number":
    case "number-on-trunk":
      return match.directive !== "" && match.directive === allow.falseStopOf;
  }
}

/** Strictest first, then most specific, then the national table, then the older id. */
function byWeight(left: Match, right: Match): number {
  return (
    compareStrictness(strictnessOf(right), strictnessOf(left)) ||
    right.specific - left.specific ||
    left.width - right.width ||
    Number(right.table === "national") - Number(left.table === "national") ||
    (left.directive < right.directive ? -1 : 1)
  );
}

function strictnessOf(match: Match): Verdict {
  return match.action === "observe" ? "allow" : match.action;
}

/** What the rules say about a number by themselves: rule 5, and "Forged or not". */
function ruleAbout(question: CallQuestion, number: JudgedNumber): Match | undefined {
  if (number.protection === "own-trunk") {
    return undefined;
  }
  const fromAbroad = question.direction === "international";
  if (number.protection === "elsewhere") {
    const kazakh = number.shown.kind === "e164" && numberClass(number.shown.number) !== "foreign";
    return ruleMatch(fromAbroad && kazakh ? "forged" : "do-not-originate", "block", number.identity);
  }
  return fromAbroad ? forgedFromAbroad(question, number) : undefined;
}

function forgedFromAbroad(question: CallQuestion, { shown, identity }: JudgedNumber): Match | undefined {
  if (shown.kind === "short") {
    return ruleMatch("forged", "block", identity);
  }
  const shownClass = shown.kind === "e164" ? numberClass(shown.number) : "foreign";
  switch (shownClass) {
    case "foreign":
    case "kz-shared":
      return undefined;
    case "kz-special":
      return ruleMatch("forged", "block", identity);
    case "kz-fixed":
      return divertedFromAbroad(question, identity) ?? ruleMatch("forged", "block", identity);
    case "kz-mobile":
      return divertedFromAbroad(question, identity) ?? roamingFinding(question, identity);
  }
}

/** The last hop was a foreign number: somebody called it from Kazakhstan and it diverted the call home. */
function divertedFromAbroad({ diversion, roaming }: CallQuestion, identity: Identity): Match | undefined {
  const foreignHop = diversion?.kind === "e164" && numberClass(diversion.number) === "foreign";
  return foreignHop && roaming !== "yes" ? ruleMatch("diverted-from-abroad", "warn", identity) : undefined;
}

function roamingFinding({ roaming }: CallQuestion, identity: Identity): Match | undefined {
  switch (roaming) {
    case "yes":
      return undefined;
    case "no":
      return ruleMatch("forged", "block", identity);
    case "unknown":
      return ruleMatch("forged-unknown", "warn", identity);
  }
}

/** Rules are the least specific: where a directive says the same, it gives the reason. */
function ruleMatch(reason: RuleReason, action: "warn" | "block", identity: Identity): Match {
  const nothing = { target: "", directive: "", authorRole: "", falseStopOf: "" };
  return { ...nothing, kind: "rule", action, reason, table: "rule", identity, specific: 0, width: 1 };
}
