import type { KnownBatch } from "#domain/approving.ts";
import type { Approval } from "#domain/opinion.ts";
import type { Needs } from "#domain/powers.ts";
import type { BatchView } from "#proto/qalqan/centre/v1/centre.ts";
import type { BatchRow } from "../store/schema.ts";
import { directiveView, type DirectiveKnowledge, type ViewMoment } from "./directive-view.ts";

/** How many members of a batch the capital has decided, and how. */
export interface BatchTally {
  readonly members: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Members about which nothing more is to come. */
  readonly decided: number;
  /** Approvals that members lack by what the capital has told; looked up while the batch is held. */
  readonly missing: readonly string[];
  /** The member that was decided last, else the one accepted last; undefined: the batch has none. */
  readonly last: DirectiveKnowledge | undefined;
}

/** The batch as approvals and revocations look at it. */
export function knownBatchOf(row: BatchRow, approvals: readonly Approval[]): KnownBatch {
  return {
    batch: row.id,
    author: row.author,
    needs: JSON.parse(row.needs) as Needs[],
    approvals,
    revoked: row.revoked_at_ms > 0,
  };
}

/** The view of a batch: receipts and `settled` are those of its last directive. */
export function batchView(row: BatchRow, tally: BatchTally, moment: ViewMoment): BatchView {
  const state = stateOf(row, tally);
  const last = tally.last === undefined ? undefined : directiveView(tally.last, moment);
  const waits = state === "regional" || state === "national" || state === "revoked";
  // As with a single directive: an approval of another region is known to the capital alone.
  const missing = state === "held" ? row.missing.filter((kind) => tally.missing.includes(kind)) : [];
  const awaitsCapital = state === "held" && missing.length === 0;
  const settled =
    (!waits && !awaitsCapital) ||
    last === undefined ||
    (last.settled && (moment.cutOff || row.scope === "region" || tally.decided === tally.members));
  return {
    batch: row.id,
    state,
    missing,
    directives: tally.members,
    author: row.author,
    acceptedAtMs: row.accepted_at_ms,
    receipts: waits ? (last?.receipts ?? []) : [],
    nationalRevision: last?.nationalRevision ?? 0,
    action: row.action,
    regionCutOff: moment.cutOff,
    settled,
  };
}

/** held | regional | national | rejected | revoked */
function stateOf(row: BatchRow, tally: BatchTally): string {
  if (row.revoked_at_ms > 0) return "revoked";
  if (row.refused) return "rejected";
  // The capital's word first: it also knows what another region approved or refused.
  if (tally.members > 0 && tally.decided === tally.members) {
    if (tally.rejected === tally.members) return "rejected";
    if (tally.accepted > 0) return row.scope === "nation" ? "national" : "regional";
  }
  return row.missing.length > 0 ? "held" : "regional";
}
