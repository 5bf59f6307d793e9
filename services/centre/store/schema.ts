import type { ColumnType, Generated } from "kysely";
import type { Kysely, Transaction } from "#platform/database.ts";

/** One revision of a directive of this region, as it was accepted and what became of it. */
export interface DirectiveRow {
  id: string;
  revision: number;
  /** No later revision is known. */
  latest: boolean;
  target: string;
  action: string;
  scope: string;
  basis: string;
  reason: string;
  author: string;
  author_role: string;
  accepted_at_ms: number;
  expires_at_ms: number;
  term_from_ms: number;
  override_revision: number;
  /** Empty: none. */
  batch: string;
  evidence: string[];
  revoked: boolean;
  revoked_by: string;
  /** Approvals missing at acceptance: the words of the event. */
  missing_at_acceptance: string[];
  false_stop_of: string;
  beyond_daily_targets: boolean;
  /** Approvals missing now, in this region's judgement; those of a batch are its batch's. */
  missing: string[];
  /** Somebody who could approve has refused. */
  refused: boolean;
  /** The event that carried this revision (outbox.event). */
  event: string;
  /** The event since which the overlay enforces it; null while it is held. */
  effect_event: string | null;
  /** What the capital made of it, or empty. */
  decision: string;
  decision_reason: string;
  decision_missing: string[];
  decided_at_ms: number;
  /** Sequence in NATIONAL of that decision; 0: none. */
  national_revision: number;
}

export interface BatchRow {
  id: string;
  content_key: string;
  action: string;
  scope: string;
  basis: string;
  reason: string;
  author: string;
  author_role: string;
  accepted_at_ms: number;
  expires_at_ms: number;
  entries: number;
  accepted: number;
  merged: number;
  /** JSON: how many entries were refused, by reason. */
  refused_by_reason: string;
  /** JSON: what its members ask for, each kind of answer once (approving.ts, distinctNeeds). */
  needs: string;
  missing: string[];
  refused: boolean;
  /** The last of the events that carried its members. */
  last_event: string;
  /** The event since which its members are enforced; null while it is held. */
  effect_event: string | null;
  revoked_at_ms: number;
  revoked_by: string;
  revoked_reason: string;
  revoke_event: string | null;
}

export interface ApprovalRow {
  number: number;
  /** Empty for a batch. */
  directive: string;
  revision: number;
  /** Empty for a directive. */
  batch: string;
  person: string;
  role: string;
  region: string;
  kind: string;
  approved: boolean;
  at_ms: number;
  complete: boolean;
}

/** What was done and by whom; append-only, each row chained to the one before. */
export interface AuditRow {
  number: number;
  at_ms: number;
  person: string;
  role: string;
  what: string;
  subject: string;
  /** JSON text. */
  detail: string;
  /** SHA-256 of the previous row's hash and this row's text (store/audit.ts). */
  hash: Buffer;
}

export interface OutboxRow {
  lane: string;
  /** Counted per lane in commit order, from 1; only a recovery leaves gaps (domain/reconcile.ts). */
  number: number;
  type: string;
  /** Key that rows of other tables name it by. */
  event: string;
  /** The encoded Event without its field `outbox`. */
  bytes: Buffer;
  at_ms: number;
  /** Sequence in the lane's stream; null: not stored there yet, or not known to be. */
  sequence: number | null;
  /** Epoch of the lane in which that sequence counts. */
  epoch: Generated<number>;
  /** Since when every ready replica of this region's screening has applied it. */
  enforced_at_ms: number | null;
}

export interface Schema {
  directives: DirectiveRow;
  batches: BatchRow;
  approvals: Omit<ApprovalRow, "number"> & { number: Generated<number> };
  audit: AuditRow;
  audit_head: { one: number; number: number; hash: Buffer };
  outbox: OutboxRow;
  outbox_counters: { lane: string; last: number };
  inbox: { stream: string; epoch: number; sequence: number };
  idempotency_keys: { person: string; key: string; subject: string; fingerprint: string; at_ms: number };
  trunks: TrunkRow;
  stops: StopRow;
  protected_numbers: { number: string; originates_from: string[]; holder: string; revision: number };
  national_stop: { one: number; stopped: boolean; person: string; at_ms: number; revision: number };
  /** Batches of NATIONAL that decided something of this region. */
  national_marks: { sequence: number; at_ms: number; enforced_at_ms: number | null };
  /** Held directives of other regions, which a person here may approve as the second region. */
  foreign_held: { directive: string; revision: number; missing: string[]; sequence: number };
  enforcements: EnforcementRow;
  nation_regions: NationRegionRow;
  intelligence: IntelligenceRow;
}

export interface TrunkRow {
  trunk: string;
  revision: number;
  direction: string;
  operator: string;
  sbc_address: string;
  mode: string;
  percent: number;
}

export interface StopRow {
  /** Empty: the whole region. */
  carrier: string;
  /** Grows by one with each change of any stop of the region. */
  revision: number;
  stopped: boolean;
  person: string;
  at_ms: number;
}

/**
 * Since when a region enforces a batch of NATIONAL, as coordination says. It
 * speaks per directive; all that one batch decided has the same time, so one
 * row stands for the thousand members of an import.
 */
export interface EnforcementRow {
  national_sequence: number;
  region: string;
  /** enforced | waiting | cut-off */
  state: string;
  enforced_at_ms: number;
}

/** A region of the nation, with the state that was told last about it. */
export interface NationRegionRow {
  region: string;
  state: string;
  national_sequence: number;
}

/** A piece of intelligence: this region's own, or what came down. */
export interface IntelligenceRow {
  id: string;
  /** Region that wrote it. */
  region: string;
  revision: number;
  kind: string;
  fields_json: string;
  audience: string;
  tlp: string;
  confidence: number;
  source: string;
  author: string;
  created_at_ms: number;
  valid_until_ms: number;
  released_wording: string;
  withdrawn: boolean;
  withdrawn_at_ms: number;
  /** Free text; only in its own region. */
  note: string;
  /** Generated from what may be searched; never written. */
  words: ColumnType<string, never, never>;
}

export type CentreDatabase = Kysely<Schema>;
export type CentreTransaction = Transaction<Schema>;
/** A pool or a transaction: something to ask. A transaction is a database for Kysely. */
export type Reader = CentreDatabase;
