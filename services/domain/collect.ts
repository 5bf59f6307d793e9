import type { CallQuestion } from "./call.ts";
import type { Entry } from "./national-rows.ts";
import type { NationalTable, Protection } from "./national-table.ts";
import type { Dialled } from "./number.ts";
import type { Overlay } from "./overlay.ts";
import type { OverlayDirective } from "./overlay-events.ts";
import type { CallPlace } from "./target-index.ts";
import { specificity } from "./target-index.ts";
import type { TargetKind } from "./target.ts";
import type { Action } from "./vocabulary.ts";
import { actions, isProsecutor } from "./vocabulary.ts";

/** Which of the two calling numbers; empty: neither. */
export type Identity = "from" | "asserted" | "";

/** One thing that speaks about a call. */
export interface Match {
  /** Canonical key; empty for a rule. */
  target: string;
  kind: TargetKind | "rule";
  action: Action;
  /** Id; empty for a rule. */
  directive: string;
  /** Code of the catalogue; for a rule its DecisionReason. */
  reason: string;
  table: "national" | "overlay" | "rule";
  identity: Identity;
  authorRole: string;
  /** The directive that this allow beats after a false stop, or empty. */
  falseStopOf: string;
  /** Larger is more specific. */
  specific: number;
  /** Numbers of a range, else 1; narrower is more specific. */
  width: number;
}

/** A calling number and all that speaks about it. */
export interface JudgedNumber {
  identity: "from" | "asserted";
  shown: Dialled;
  matches: Match[];
  protection: Protection | undefined;
}

/** Everything that matches a call, from both tables. */
export interface Collected {
  /** One, or two that differ; each is judged by itself. */
  numbers: JudgedNumber[];
  /** What speaks about the trunk, whoever calls. */
  trunk: Match[];
}

/**
 * Collects everything that matches a call from national table and overlay
 * together, without deciding. An entry that rests on an own withdrawn directive
 * alone is passed over; ended ones are too.
 */
export function collect(
  question: CallQuestion,
  table: NationalTable,
  overlay: Overlay,
  nowMs: number,
): Collected {
  const trunk: Match[] = [];
  table.visitTrunk(question.trunk, nowMs, (entry, specific, width) => {
    addEntry(trunk, overlay, entry, "", specific, width);
  });
  overlay.visitTrunk(question.trunk, nowMs, (directive, specific, width) => {
    addDirective(trunk, directive, "", specific, width);
  });
  const numbers = judged(question).map(({ identity, shown }): JudgedNumber => {
    const matches: Match[] = [];
    const place: CallPlace = {
      number: shown.kind === "e164" ? shown.number : undefined,
      trunk: question.trunk,
      international: question.direction === "international",
    };
    table.visitNumber(place, nowMs, (entry, specific, width) => {
      addEntry(matches, overlay, entry, identity, specific, width);
    });
    overlay.visitNumber(place, nowMs, (directive, specific, width) => {
      addDirective(matches, directive, identity, specific, width);
    });
    return { identity, shown, matches, protection: table.protectionOf(place) };
  });
  return { numbers, trunk };
}

/**
 * The numbers to judge: From, and an asserted one that differs. Where From is
 * withheld the asserted one stands for it, but on a domestic trunk alone: a
 * foreign peer's assertion is not trusted (RFC 3325 section 5), so there it is
 * judged as well and loosens nothing.
 */
function judged({ from, asserted, direction }: CallQuestion): Pick<JudgedNumber, "identity" | "shown">[] {
  if (asserted === undefined || asserted.kind === "withheld" || sameNumber(from, asserted)) {
    return [{ identity: "from", shown: from }];
  }
  if (from.kind === "withheld" && direction === "domestic") {
    return [{ identity: "asserted", shown: asserted }];
  }
  return [
    { identity: "from", shown: from },
    { identity: "asserted", shown: asserted },
  ];
}

function sameNumber(left: Dialled, right: Dialled): boolean {
  return left.kind === "e164" && right.kind === "e164"
    ? left.number === right.number
    : left.kind === "short" && right.kind === "short" && left.code === right.code;
}

/** What an entry and a directive have in common, and a match takes over. */
type Speaking = Pick<Entry, "target" | "action" | "directive" | "reason" | "authorRole" | "falseStopOf">;

function addEntry(
  matches: Match[],
  overlay: Overlay,
  entry: Entry,
  identity: Identity,
  specific: number,
  width: number,
): void {
  if (!overlay.hides(entry)) addMatch(matches, "national", entry, identity, specific, width);
}

function addDirective(
  matches: Match[],
  opinion: OverlayDirective,
  identity: Identity,
  specific: number,
  width: number,
): void {
  const { target, action, id: directive, reason, falseStopOf } = opinion;
  const speaking = { target, action, directive, reason, authorRole: authorityOf(opinion), falseStopOf };
  addMatch(matches, "overlay", speaking, identity, specific, width);
}

function addMatch(
  matches: Match[],
  table: "national" | "overlay",
  { target, action: word, directive, reason, authorRole, falseStopOf }: Speaking,
  identity: Identity,
  specific: number,
  width: number,
): void {
  const action = readAction(word);
  if (action === undefined) return;
  const kind = kindOf(specific);
  matches.push({
    target,
    kind,
    action,
    directive,
    reason,
    table,
    identity,
    authorRole,
    falseStopOf,
    specific,
    width,
  });
}

/** What is in force and waited for a second person has a prosecutor behind it: of those no other approves. */
function authorityOf({ authorRole, missing }: OverlayDirective): string {
  return missing.includes("second-person") && !isProsecutor(authorRole) ? "regional-prosecutor" : authorRole;
}

/** Undefined for an action that only a newer release knows: kept in the table, enforced nowhere. */
function readAction(text: string): Action | undefined {
  return actions.find((action) => action === text);
}

function kindOf(specific: number): TargetKind {
  switch (specific) {
    case specificity.trunk:
      return "trunk";
    case specificity.range:
      return "range";
    case specificity.number:
      return "number";
    default:
      return "number-on-trunk";
  }
}
