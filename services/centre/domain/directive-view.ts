import { stateOf, type DirectiveStanding } from "#domain/directive-state.ts";
import { batchRevision } from "#domain/opinion.ts";
import type { DirectiveView, EnforcementReceipt, StoryLine } from "#proto/qalqan/centre/v1/centre.ts";
import type {
  ApprovalRow,
  BatchRow,
  DirectiveRow,
  EnforcementRow,
  NationRegionRow,
} from "../store/schema.ts";
import { opinionOf } from "../store/directives.ts";

/** When this region's screening had applied an event or a national batch; undefined: not yet. */
export interface OwnTimes {
  readonly ofEvent: (event: string) => number | undefined;
  readonly ofNational: (sequence: number) => number | undefined;
}

/** All that a view of a directive is made of. */
export interface DirectiveKnowledge {
  readonly row: DirectiveRow;
  readonly batch: BatchRow | undefined;
  /** Of the batch of NATIONAL that decided the row. */
  readonly enforcements: readonly EnforcementRow[];
  /** Every region that coordination has spoken of. */
  readonly nation: readonly NationRegionRow[];
  readonly own: OwnTimes;
}

/** Of a revision that was accepted just now nothing else can be known. */
export function freshKnowledge(row: DirectiveRow, nation: readonly NationRegionRow[]): DirectiveKnowledge {
  const own: OwnTimes = { ofEvent: () => undefined, ofNational: () => undefined };
  return { row, batch: undefined, enforcements: [], nation, own };
}

/** What is the same for every view of one moment. */
export interface ViewMoment {
  readonly region: string;
  readonly nowMs: number;
  readonly cutOff: boolean;
}

/** The batch speaks for its members as they were accepted. */
function batchOf({ row, batch }: Pick<DirectiveKnowledge, "row" | "batch">): BatchRow | undefined {
  return row.revision === batchRevision ? batch : undefined;
}

/** Where a directive stands by what this region knows. */
export function standingOf(
  known: Pick<DirectiveKnowledge, "row" | "batch">,
  nowMs: number,
): DirectiveStanding {
  const { row, batch } = known;
  const speaking = batchOf(known);
  const decision = {
    region: "",
    directive: row.id,
    revision: row.revision,
    decision: row.decision,
    reason: row.decision_reason,
    missing: row.decision_missing,
  };
  return stateOf(
    opinionOf(row),
    {
      decisions: row.decision === "" ? [] : [decision],
      missing: speaking?.missing ?? row.missing,
      refused: row.refused || (speaking?.refused ?? false),
      batchRevoked: (batch?.revoked_at_ms ?? 0) > 0,
    },
    nowMs,
  );
}

/** The view of a directive, without its story. */
export function directiveView(known: DirectiveKnowledge, moment: ViewMoment): DirectiveView {
  const { row } = known;
  const standing = standingOf(known, moment.nowMs);
  const receipts = receiptsOf(known, standing, moment);
  return {
    id: row.id,
    revision: row.revision,
    nationalRevision: row.national_revision,
    scope: row.scope,
    state: standing.state,
    missing: standing.missing,
    target: row.target,
    action: row.action,
    batch: row.batch,
    receipts,
    basis: row.basis,
    reason: row.reason,
    author: row.author,
    acceptedAtMs: row.accepted_at_ms,
    expiresAtMs: row.expires_at_ms,
    stateReason: standing.reason,
    story: [],
    regionCutOff: moment.cutOff,
    settled: isSettled(known, standing, receipts, moment),
  };
}

/** Since when this region's own screening enforces what is true of the directive; undefined: not yet. */
function ownTime(known: DirectiveKnowledge): number | undefined {
  const { row, batch, own } = known;
  const overlay = overlayTime(known);
  const national =
    row.national_revision > 0 && row.decision !== "held" ? own.ofNational(row.national_revision) : undefined;
  // A batch is revoked for the overlay by its own event, for the table by the decisions on its members.
  const times = [overlay, national].filter((time) => time !== undefined);
  const ofRevocation =
    (batch?.revoked_at_ms ?? 0) > 0 ? times.filter((time) => time >= (batch?.revoked_at_ms ?? 0)) : times;
  return ofRevocation.length === 0 ? undefined : Math.min(...ofRevocation);
}

function overlayTime(known: DirectiveKnowledge): number | undefined {
  const { row, batch, own } = known;
  if (batch !== undefined && batch.revoke_event !== null) return own.ofEvent(batch.revoke_event);
  const speaking = batchOf(known);
  if (speaking === undefined) return row.effect_event === null ? undefined : own.ofEvent(row.effect_event);
  if (speaking.effect_event === null) return undefined;
  // Approval and members come by two lanes: both have to be there.
  const carried = own.ofEvent(row.event);
  const approved = own.ofEvent(speaking.effect_event);
  return carried === undefined || approved === undefined ? undefined : Math.max(carried, approved);
}

function receiptsOf(
  known: DirectiveKnowledge,
  standing: DirectiveStanding,
  moment: ViewMoment,
): EnforcementReceipt[] {
  if (standing.state === "held" || standing.state === "rejected") return [];
  const { row, batch } = known;
  const enforcements = isDecided(row, (batch?.revoked_at_ms ?? 0) > 0) ? known.enforcements : [];
  const sinceMs = Math.max(row.accepted_at_ms, batch?.revoked_at_ms ?? 0);
  const enforcedIn = (region: string) =>
    enforcements.find((each) => each.region === region && each.state === "enforced")?.enforced_at_ms;
  const ownMs = ownTime(known) ?? enforcedIn(moment.region);
  const ownReceipt = receipt(moment.region, ownMs === undefined ? "waiting" : "enforced", ownMs, sinceMs);
  if (row.scope === "region") return [ownReceipt];
  const others = new Map(known.nation.map(({ region, state }) => [region, state]));
  // What was told about an earlier decision proves nothing about this one; but who was cut off still is.
  for (const [region, state] of others) others.set(region, state === "cut-off" ? state : "waiting");
  for (const { region, state } of enforcements) others.set(region, state);
  others.delete(moment.region);
  const receipts = [...others].map(([region, state]) => receipt(region, state, enforcedIn(region), sinceMs));
  return [ownReceipt, ...receipts].toSorted((left, right) => (left.region < right.region ? -1 : 1));
}

function receipt(
  region: string,
  state: string,
  enforcedAtMs: number | undefined,
  sinceMs: number,
): EnforcementReceipt {
  return {
    region,
    state,
    enforcedAtMs: enforcedAtMs ?? 0,
    milliseconds: enforcedAtMs === undefined ? -1 : Math.max(0, enforcedAtMs - sinceMs),
  };
}

/** Whether the capital has said what is true of this revision now. */
export function isDecided(row: DirectiveRow, batchRevoked: boolean): boolean {
  if (row.revoked || batchRevoked)
    return row.decision !== "" && row.decision !== "accepted" && row.decision !== "held";
  return row.decision !== "" && !(row.decision === "held" && row.decision_reason === "approval");
}

function isSettled(
  known: DirectiveKnowledge,
  standing: DirectiveStanding,
  receipts: readonly EnforcementReceipt[],
  moment: ViewMoment,
): boolean {
  // All has been given, in two regions: only the capital knows that, and will say so.
  if (standing.state === "held") return standing.reason !== "approval" || standing.missing.length > 0;
  if (standing.state === "rejected" || standing.state === "expired") return true;
  const own = receipts.find((each) => each.region === moment.region);
  if (own?.state !== "enforced") return false;
  if (known.row.scope === "region" || moment.cutOff) return true;
  return (
    isDecided(known.row, (known.batch?.revoked_at_ms ?? 0) > 0) &&
    known.enforcements.length > 0 &&
    receipts.every((each) => each.state !== "waiting")
  );
}

/** What happened to a directive, oldest first. */
export function storyOf(
  revisions: readonly DirectiveRow[],
  approvals: readonly ApprovalRow[],
  batch: BatchRow | undefined,
): StoryLine[] {
  const lines: StoryLine[] = revisions.flatMap((row) => {
    const what = row.revoked ? "revoked" : row.revision === 1 ? "accepted" : "extended";
    const person = row.revoked ? row.revoked_by : row.author;
    const written: StoryLine = {
      atMs: row.accepted_at_ms,
      what,
      person,
      revision: row.revision,
      detail: row.missing_at_acceptance.join(","),
    };
    if (row.decision === "") return [written];
    const detail = [row.decision, row.decision_reason].filter((word) => word !== "").join(": ");
    return [
      written,
      { atMs: row.decided_at_ms, what: "decided", person: "", revision: row.revision, detail },
    ];
  });
  for (const approval of approvals) {
    lines.push({
      atMs: approval.at_ms,
      what: approval.approved ? "approved" : "refused",
      person: approval.person,
      revision: approval.revision,
      detail: approval.kind,
    });
  }
  if (batch !== undefined && batch.revoked_at_ms > 0) {
    const { revoked_at_ms: atMs, revoked_by: person, revoked_reason: detail } = batch;
    lines.push({ atMs, what: "revoked", person, revision: revisions.at(-1)?.revision ?? 1, detail });
  }
  return lines.toSorted((left, right) => left.atMs - right.atMs);
}
