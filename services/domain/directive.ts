import { missingApprovals } from "./approval.ts";
import { parseBasis, parseReason } from "./catalogue.ts";
import { checkEvidence, checkStopped } from "./evidence.ts";
import { InvalidInput } from "./invalid-input.ts";
import type { Approval, BatchRevocation, Opinion } from "./opinion.ts";
import type { PowersContext, Requirement, TargetUse } from "./powers.ts";
import { isBeyondDailyTargets, requirement, widestScopeAlone } from "./powers.ts";
import { issuingRoles } from "./powers-table.ts";
import { Refusal } from "./refusal.ts";
import { isAgainstProtected } from "./standing.ts";
import type { Target } from "./target.ts";
import { targetKey } from "./target.ts";
import type { Action, ApprovalKind, DirectiveState, Person, Scope } from "./vocabulary.ts";
import { isProsecutor, regionOfId } from "./vocabulary.ts";

/** What is written to the outbox; a body is equal in structure to that of the event `Event`. */
export interface DirectiveEvent {
  /** `urgent`: every revocation and every directive issued singly; `events`: imports and approvals. */
  lane: "events" | "urgent";
  body:
    | { $case: "directives"; value: { directives: Opinion[] } }
    | { $case: "approval"; value: Approval }
    | { $case: "batchRevocation"; value: BatchRevocation };
}

/** Who acts, where and when. */
export interface ActingContext {
  nowMs: number;
  /** Slug of the centre that is asked. */
  region: string;
  person: Person;
}

export interface WritingContext extends ActingContext, PowersContext {
  /** `originatesFrom` of a protected number, from the centre's own copy; undefined: not protected. */
  protectedTrunksOf(number: string): readonly string[] | undefined;
  /**
   * What the acting person wrote outside of batches in the last 24 hours, every
   * revision but revocations. Two commands of one person must not both read it
   * before either is written: the caller locks by person.
   */
  uses: readonly TargetUse[];
  /**
   * When the acting person's first directive on this target in this slot
   * (vocabulary.ts, slotOf) was accepted, whatever became of it; undefined: none.
   */
  firstOnTargetMs: number | undefined;
}

export interface IssueCommand {
  /** `<slug>-<ULID>` of the centre's region. */
  id: string;
  target: Target;
  action: Action;
  /** undefined: the widest that the person may decide alone, else `nation`. */
  scope: Scope | undefined;
  basis: string;
  reason: string;
  expiresAtMs: number;
  /** The target's national revision that is overridden; 0: none. */
  overrideRevision: number;
  evidence: readonly string[];
  /** The directive that stopped a legitimate call, or empty. */
  falseStopOf: string;
  /** Id of the import, or empty. */
  batch: string;
}

/** A directive as its centre knows it. */
export interface KnownDirective {
  directive: Opinion;
  /** By stateOf (directive-state.ts). */
  state: DirectiveState;
}

/** What a command makes of a directive. */
export interface DirectiveOutcome {
  directive: Opinion;
  state: DirectiveState;
  missing: ApprovalKind[];
  /** Sets of approvals, any one of them enough; empty when nothing is missing. */
  alternatives: ApprovalKind[][];
  /** The directive was in force and is not until it is approved again. */
  interrupted: boolean;
  /** To be written in the same transaction; empty: nothing changed. */
  events: DirectiveEvent[];
}

/**
 * Issues a directive: complete and enforced at once, or held with what is missing.
 * @throws InvalidInput basis, reason, expires, falseStopOf or evidence
 * @throws Refusal `forbidden` where no approval could make it right, `failed-precondition` for a protected number
 */
export function decideIssue(command: IssueCommand, context: WritingContext): DirectiveOutcome {
  const { person, nowMs } = context;
  checkMayWrite(context);
  parseBasis("basis", command.basis);
  parseReason("reason", command.reason, command.action);
  checkEnd(command.expiresAtMs, nowMs);
  checkDetails(command);
  const target = targetKey(command.target);
  const unscoped = {
    target,
    action: command.action,
    basis: command.basis,
    authorRole: person.role,
    expiresAtMs: command.expiresAtMs,
    termFromMs: Math.min(context.firstOnTargetMs ?? nowMs, nowMs),
    overrideRevision: command.overrideRevision,
    batch: command.batch,
    falseStopOf: command.falseStopOf,
    beyondDailyTargets: command.batch === "" && isBeyondDailyTargets(context.uses, target, nowMs),
  };
  const directive: Opinion = {
    ...unscoped,
    id: command.id,
    revision: 1,
    scope: command.scope ?? widestScopeAlone(unscoped, context) ?? "nation",
    reason: command.reason,
    author: person.id,
    acceptedAtMs: nowMs,
    evidence: [...command.evidence],
    revoked: false,
    revokedBy: "",
    missing: [],
  };
  checkProtected(directive, context);
  return written(directive, context, undefined);
}

/**
 * Moves the end of a directive: a new revision, written by whoever extends it.
 * Its author may, and a prosecutor. Terms go on from the first directive of
 * either. Where powers ask for approvals they are needed anew, and until then
 * nothing of the directive is enforced (`interrupted`): a second directive on
 * the target leaves the first one in force meanwhile.
 * @throws InvalidInput expires
 * @throws Refusal `forbidden`; `conflict` when it is rejected, revoked or expired
 */
export function decideExtend(
  known: KnownDirective,
  command: { expiresAtMs: number },
  context: WritingContext,
): DirectiveOutcome {
  const { directive, state } = known;
  const { person, nowMs } = context;
  checkMayWrite(context);
  checkOwner(directive, context, "extend");
  if (state === "rejected" || state === "revoked" || state === "expired") {
    throw new Refusal({
      code: "conflict",
      field: "id",
      value: directive.id,
      message: `The directive is ${state}.`,
      remedy: "Issue a new one.",
    });
  }
  checkEnd(command.expiresAtMs, nowMs);
  if (command.expiresAtMs <= directive.expiresAtMs) {
    throw invalidEnd(command.expiresAtMs, "is not after the present end", "Give a later end, or revoke it.");
  }
  const extended: Opinion = {
    ...directive,
    revision: directive.revision + 1,
    author: person.id,
    authorRole: person.role,
    acceptedAtMs: nowMs,
    expiresAtMs: command.expiresAtMs,
    termFromMs: Math.min(context.firstOnTargetMs ?? nowMs, directive.termFromMs),
    beyondDailyTargets: directive.batch === "" && isBeyondDailyTargets(context.uses, directive.target, nowMs),
    missing: [],
  };
  checkProtected(extended, context);
  return written(extended, context, state);
}

/**
 * Withdraws a directive. One person is always enough: its author, or a
 * prosecutor of its region or of the capital. Revoking again changes nothing.
 * @throws InvalidInput reason
 * @throws Refusal `forbidden`
 */
export function decideRevoke(
  known: KnownDirective,
  command: { reason: string },
  context: ActingContext,
): DirectiveOutcome {
  const { directive } = known;
  parseReason("reason", command.reason, "revoke");
  checkAtHome(context);
  checkOwner(directive, context, "revoke");
  const revoked: Opinion = directive.revoked
    ? directive
    : {
        ...directive,
        revision: directive.revision + 1,
        acceptedAtMs: context.nowMs,
        reason: command.reason,
        revoked: true,
        revokedBy: context.person.id,
        missing: [],
      };
  return {
    directive: revoked,
    state: "revoked",
    missing: [],
    alternatives: [],
    interrupted: false,
    events: directive.revoked ? [] : [directivesEvent("urgent", revoked)],
  };
}

/** @throws Refusal `forbidden` when a token of another region is used here */
export function checkAtHome(context: ActingContext): void {
  const { person, region } = context;
  const nationwide = person.role === "central-prosecutor" || person.role === "carrier";
  if (person.region !== region && !nationwide) {
    throw new Refusal({
      code: "forbidden",
      field: "region",
      value: person.region,
      message: `A person of region ${person.region} decides nothing in ${region}.`,
      remedy: "Ask the centre of the own region.",
    });
  }
}

/** Whether the person is a prosecutor of the region that gave the id, or of the capital. */
export function isProsecutorOf(id: string, person: Person): boolean {
  return (
    person.role === "central-prosecutor" || (isProsecutor(person.role) && person.region === regionOfId(id))
  );
}

function checkMayWrite(context: ActingContext): void {
  const { person } = context;
  checkAtHome(context);
  if (!issuingRoles.includes(person.role)) {
    throw new Refusal({
      code: "forbidden",
      field: "role",
      value: person.role,
      message: `The role ${person.role} issues no directives.`,
      remedy: `It takes one of: ${issuingRoles.join(", ")}.`,
    });
  }
}

function checkOwner(directive: Opinion, context: ActingContext, verb: string): void {
  const { person, region } = context;
  const home = regionOfId(directive.id);
  if (home === region && (person.id === directive.author || isProsecutorOf(directive.id, person))) {
    return;
  }
  throw new Refusal({
    code: "forbidden",
    field: "id",
    value: directive.id,
    message: `Only its author and the prosecutors of ${home} may ${verb} this directive.`,
    remedy:
      home === region
        ? "Ask its author or a prosecutor of the region."
        : "Ask that region, or let a prosecutor override it, naming the national revision.",
  });
}

function checkEnd(expiresAtMs: number, nowMs: number): void {
  if (!Number.isSafeInteger(expiresAtMs)) {
    throw invalidEnd(expiresAtMs, "is not a time", "Give milliseconds since 1970, a whole number.");
  }
  if (expiresAtMs <= nowMs) {
    throw invalidEnd(expiresAtMs, "is in the past", "Give an end in the future.");
  }
}

function invalidEnd(expiresAtMs: number, message: string, remedy: string): InvalidInput {
  const time = new Date(expiresAtMs);
  const value = Number.isNaN(time.getTime()) ? String(expiresAtMs) : time.toISOString();
  return new InvalidInput({ code: "invalid-expiry", field: "expires", value, message, remedy });
}

function checkDetails(command: IssueCommand): void {
  if (command.falseStopOf !== "" && command.action !== "allow") {
    throw new InvalidInput({
      code: "unfit-false-stop",
      field: "falseStopOf",
      value: command.falseStopOf,
      message: `says nothing for ${command.action}`,
      remedy: "Name a false stop with the action allow alone.",
    });
  }
  if (!Number.isSafeInteger(command.overrideRevision) || command.overrideRevision < 0) {
    throw new InvalidInput({
      code: "invalid-revision",
      field: "override",
      value: String(command.overrideRevision),
      message: "is not a national revision",
      remedy: "Give the national revision of the target that you have seen.",
    });
  }
  if (command.overrideRevision > 0 && command.scope === "region") {
    throw new InvalidInput({
      code: "invalid-scope",
      field: "scope",
      value: command.scope,
      message: "cannot carry an override",
      remedy: "An override is national: leave the scope out.",
    });
  }
  checkStopped("falseStopOf", command.falseStopOf);
  checkEvidence("evidence", command.evidence);
}

function checkProtected(directive: Opinion, context: WritingContext): void {
  if (isAgainstProtected(directive, context)) {
    throw new Refusal({
      code: "failed-precondition",
      field: "target",
      value: directive.target,
      message: "The number is protected where it really originates.",
      remedy: "Name a trunk that it does not originate from; calls that show it there are forged anyhow.",
    });
  }
}

function written(
  directive: Opinion,
  context: PowersContext,
  before: DirectiveState | undefined,
): DirectiveOutcome {
  const needs = needsOrRefuse(requirement(directive, context), directive);
  const missing = needs === undefined ? [] : missingApprovals(needs, directive, []);
  const complete: Opinion = { ...directive, missing };
  const single = directive.batch === "" || directive.revision > 1;
  return {
    directive: complete,
    state: needs === undefined ? "regional" : "held",
    missing,
    alternatives: needs?.alternatives ?? [],
    interrupted: needs !== undefined && (before === "regional" || before === "national"),
    events: [directivesEvent(single ? "urgent" : "events", complete)],
  };
}

function needsOrRefuse(asked: Requirement, directive: Opinion) {
  if (asked.kind === "forbidden") {
    throw new Refusal({
      code: "forbidden",
      field: asked.field,
      value: asked.field === "basis" ? directive.basis : asked.field === "expires" ? "" : directive.action,
      message: `${asked.reason[0]?.toUpperCase() ?? ""}${asked.reason.slice(1)}.`,
      remedy: asked.remedy,
    });
  }
  return asked.kind === "needs" ? asked : undefined;
}

function directivesEvent(lane: "events" | "urgent", directive: Opinion): DirectiveEvent {
  return { lane, body: { $case: "directives", value: { directives: [directive] } } };
}
