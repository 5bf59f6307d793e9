import {
  decideApproval,
  decideBatchApproval,
  decideBatchRevocation,
  distinctNeeds,
} from "#domain/approving.ts";
import {
  decideExtend,
  decideIssue,
  decideRevoke,
  type DirectiveEvent,
  type KnownDirective,
  type WritingContext,
} from "#domain/directive.ts";
import { stateOf } from "#domain/directive-state.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { Approval, Opinion } from "#domain/opinion.ts";
import { batchRevision } from "#domain/opinion.ts";
import { requirement } from "#domain/powers.ts";
import { Refusal } from "#domain/refusal.ts";
import { parseTargetKey } from "#domain/target.ts";
import { trunkDirections } from "#domain/trunk.ts";
import type { Action, Person } from "#domain/vocabulary.ts";
import type { Lane } from "#proto/names.ts";
import { Event, type TrunkSet } from "#proto/qalqan/events/v1/events.ts";
import type { BatchRow, CentreTables, DirectiveRow, StopRow } from "./tables.ts";

/** What a person asks a centre for. */
export type Wish =
  | {
      readonly kind: "issue";
      readonly id: string;
      readonly target: string;
      readonly action: Action;
      readonly termMs: number;
      readonly overrideRevision: number;
    }
  | { readonly kind: "extend"; readonly id: string; readonly termMs: number }
  | { readonly kind: "revoke"; readonly id: string }
  | { readonly kind: "approve"; readonly id: string; readonly approve: boolean }
  | { readonly kind: "approve-foreign"; readonly id: string }
  | {
      readonly kind: "import";
      readonly id: string;
      readonly members: readonly { readonly id: string; readonly target: string }[];
      readonly termMs: number;
    }
  | { readonly kind: "approve-batch"; readonly id: string }
  | { readonly kind: "revoke-batch"; readonly id: string }
  | { readonly kind: "set-trunk"; readonly id: string; readonly percent: number }
  | { readonly kind: "stop"; readonly id: string; readonly stopped: boolean };

export interface Request {
  /** The same request, asked again, has the same key. */
  readonly key: string;
  readonly wish: Wish;
  readonly person: Person;
}

export type Reply =
  | { readonly kind: "accepted"; readonly revision: number }
  | { readonly kind: "refused"; readonly code: string };

/**
 * Carries a request out in one transaction: decided by the domain, then row,
 * key and outbox together (services/centre/rpc).
 */
export function carryOut(tables: CentreTables, region: string, request: Request, nowMs: number): Reply {
  const known = tables.keys.get(request.key);
  if (known !== undefined) return { kind: "accepted", revision: Number(known) };
  try {
    const { revision, events } = decide(tables, region, request, nowMs);
    for (const { lane, body } of events) send(tables, lane, body, nowMs);
    tables.keys.set(request.key, String(revision));
    return { kind: "accepted", revision };
  } catch (error) {
    if (error instanceof Refusal || error instanceof InvalidInput)
      return { kind: "refused", code: error.message };
    throw error;
  }
}

interface Decided {
  readonly revision: number;
  readonly events: readonly { readonly lane: Lane; readonly body: NonNullable<Event["body"]> }[];
}

const nothing: Decided = { revision: 0, events: [] };

function decide(tables: CentreTables, region: string, { wish, person }: Request, nowMs: number): Decided {
  const context = contextOf(tables, region, person, nowMs);
  switch (wish.kind) {
    case "issue": {
      const { directive, events } = decideIssue(issueOf(wish, wish.action, "", nowMs), context);
      tables.directives.set(wish.id, issuedRow(tables, directive));
      return { revision: 1, events };
    }
    case "extend": {
      const known = knownOf(tables, wish.id, nowMs);
      const expiresAtMs = known.directive.expiresAtMs + wish.termMs;
      return revised(tables, decideExtend(known, { expiresAtMs }, context));
    }
    case "revoke":
      return revised(tables, decideRevoke(knownOf(tables, wish.id, nowMs), { reason: "mistake" }, context));
    case "approve": {
      const known = { ...knownOf(tables, wish.id, nowMs), approvals: approvalsOf(tables, wish.id) };
      const outcome = decideApproval(known, { approve: wish.approve, kind: undefined, revision: 0 }, context);
      const row = tables.directives.get(wish.id);
      if (outcome.approval === undefined || row === undefined) return nothing;
      const { missing } = outcome;
      const isEffective = row.isEffective || outcome.approval.complete;
      tables.directives.set(wish.id, { ...row, missing, refused: row.refused || !wish.approve, isEffective });
      return approved(tables, outcome.approval);
    }
    case "approve-foreign": {
      const held = tables.foreignHeld.get(wish.id);
      if (held === undefined || !held.missing.includes("second-region")) throw notFound(wish.id);
      return approved(tables, {
        ...{
          directive: wish.id,
          revision: held.revision,
          batch: "",
          person: person.id,
          role: person.role,
          region,
        },
        ...{ kind: "second-region", approved: true, atMs: nowMs, complete: false },
      });
    }
    case "import":
      return imported(tables, wish, context, nowMs);
    case "approve-batch": {
      const outcome = decideBatchApproval(
        knownBatch(tables, wish.id),
        { approve: true, kind: undefined, revision: 0 },
        context,
      );
      if (outcome.approval === undefined) return nothing;
      changeBatch(tables, wish.id, { isEffective: outcome.approval.complete });
      return approved(tables, outcome.approval);
    }
    case "revoke-batch": {
      const { events } = decideBatchRevocation(knownBatch(tables, wish.id), { reason: "mistake" }, context);
      if (events.length > 0) changeBatch(tables, wish.id, { revokedBy: person.id, revokedAtMs: nowMs });
      return { revision: 1, events };
    }
    case "set-trunk": {
      const value = trunkOf(wish.id, (tables.trunks.get(wish.id)?.revision ?? 0) + 1, wish.percent);
      tables.trunks.set(wish.id, value);
      return { revision: value.revision, events: [{ lane: "urgent", body: { $case: "trunkSet", value } }] };
    }
    case "stop": {
      const revision = Math.max(0, ...[...tables.stops.values()].map((stop) => stop.revision)) + 1;
      const value: StopRow = { revision, stopped: wish.stopped, person: person.id, carrier: wish.id };
      tables.stops.set(wish.id, value);
      return { revision, events: [{ lane: "urgent", body: { $case: "regionStop", value } }] };
    }
    default:
      return wish satisfies never;
  }
}

function contextOf(tables: CentreTables, region: string, person: Person, nowMs: number): WritingContext {
  return {
    ...{ nowMs, region, person, uses: [], firstOnTargetMs: undefined },
    trunkDirection: (trunk) => {
      const direction = tables.trunks.get(trunk)?.direction;
      return trunkDirections.find((each) => each === direction);
    },
    protectedTrunksOf: (number) => tables.protectedNumbers.get(number),
  };
}

function issueOf(
  wish: {
    readonly id: string;
    readonly target: string;
    readonly termMs: number;
    readonly overrideRevision?: number;
  },
  action: Action,
  batch: string,
  nowMs: number,
) {
  return {
    ...{ id: wish.id, target: parseTargetKey(wish.target), action, scope: undefined, batch },
    ...{ basis: "communications-law-41-1", reason: action === "allow" ? "appeal-upheld" : "fraud" },
    ...{ expiresAtMs: nowMs + wish.termMs, overrideRevision: wish.overrideRevision ?? 0 },
    ...{ evidence: [], falseStopOf: "" },
  };
}

function imported(
  tables: CentreTables,
  wish: Extract<Wish, { kind: "import" }>,
  context: WritingContext,
  nowMs: number,
): Decided {
  const members = wish.members.map(
    (member) =>
      decideIssue(issueOf({ ...member, termMs: wish.termMs }, "warn", wish.id, nowMs), context).directive,
  );
  const needs = distinctNeeds(members.map((member) => requirement(member, context)));
  for (const member of members) tables.directives.set(member.id, issuedRow(tables, member));
  tables.batches.set(wish.id, {
    ...{ id: wish.id, author: context.person.id, needs, expiresAtMs: nowMs + wish.termMs },
    ...{ refused: false, isEffective: needs.length === 0, revokedBy: "", revokedAtMs: 0 },
  });
  // Two messages, so that something can come between them.
  const half = Math.ceil(members.length / 2);
  const parts = [members.slice(0, half), members.slice(half)].filter((part) => part.length > 0);
  return {
    revision: 1,
    events: parts.map((directives) => ({
      lane: "events",
      body: { $case: "directives", value: { directives } },
    })),
  };
}

function revised(
  tables: CentreTables,
  { directive, events }: { readonly directive: Opinion; readonly events: readonly DirectiveEvent[] },
): Decided {
  if (events.length > 0) tables.directives.set(directive.id, newRow(directive));
  return { revision: directive.revision, events };
}

function approved(tables: CentreTables, approval: Approval): Decided {
  tables.approvals.push(approval);
  // An approval overtakes the import that it may be about (services/centre/rpc/approval-effects.ts).
  return {
    revision: approval.revision,
    events: [{ lane: "urgent", body: { $case: "approval", value: approval } }],
  };
}

/**
 * A request that is carried out again, since its key was lost with a database,
 * has the same ids here, and the nation may have decided on them.
 */
function issuedRow(tables: CentreTables, opinion: Opinion): DirectiveRow {
  const { id, revision } = opinion;
  const known = tables.directives.get(id)?.decision;
  const decision = known?.revision === revision ? known : tables.decisionsAhead.get(`${id} ${revision}`);
  return { ...newRow(opinion), decision };
}

export function newRow(opinion: Opinion): DirectiveRow {
  const missing = opinion.missing as DirectiveRow["missing"];
  return { opinion, missing, refused: false, isEffective: missing.length === 0, decision: undefined };
}

function knownOf(tables: CentreTables, id: string, nowMs: number): KnownDirective {
  const row = tables.directives.get(id);
  if (row === undefined) throw notFound(id);
  const { opinion, decision } = row;
  const batch = opinion.revision === batchRevision ? tables.batches.get(opinion.batch) : undefined;
  const decisions = decision === undefined ? [] : [decision];
  const { missing } = batch === undefined ? row : { missing: batch.isEffective ? [] : ["second-person"] };
  const batchRevoked = (tables.batches.get(opinion.batch)?.revokedAtMs ?? 0) > 0;
  const known = { decisions, missing, refused: row.refused || (batch?.refused ?? false), batchRevoked };
  return { directive: opinion, state: stateOf(opinion, known, nowMs).state };
}

function approvalsOf(tables: CentreTables, id: string): Approval[] {
  return tables.approvals.filter((approval) => approval.directive === id);
}

function knownBatch(tables: CentreTables, id: string) {
  const batch = tables.batches.get(id);
  if (batch === undefined) throw notFound(id);
  const approvals = tables.approvals.filter((approval) => approval.directive === "" && approval.batch === id);
  return { batch: id, author: batch.author, needs: batch.needs, approvals, revoked: batch.revokedAtMs > 0 };
}

export function changeBatch(tables: CentreTables, id: string, change: Partial<BatchRow>): void {
  const batch = tables.batches.get(id);
  if (batch !== undefined) tables.batches.set(id, { ...batch, ...change });
}

function trunkOf(trunk: string, revision: number, percent: number): TrunkSet {
  return {
    trunk,
    revision,
    direction: "international",
    operator: "kt",
    sbcAddress: "",
    mode: "enforce",
    percent,
  };
}

function notFound(id: string): Refusal {
  return new Refusal({
    code: "not-found",
    field: "id",
    value: id,
    message: "there is none",
    remedy: "look again",
  });
}

/** The row and its number come together: numbers are in commit order, without gaps. */
export function send(
  tables: CentreTables,
  lane: Lane,
  body: NonNullable<Event["body"]>,
  nowMs: number,
): void {
  tables.counters[lane] += 1;
  const bytes = Event.encode({ outbox: 0, atMs: nowMs, body }).finish();
  tables.outbox[lane].push({ number: tables.counters[lane], type: body.$case, bytes, place: undefined });
}
