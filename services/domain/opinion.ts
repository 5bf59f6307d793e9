/**
 * A region's opinion on one target: one revision of a directive, whole. Plain
 * data, equal in structure to the event `Directive`; its words stay strings
 * here, because another release may send some that this one does not know.
 * Times are milliseconds since 1970.
 */
export interface Opinion {
  /** `<slug>-<ULID>`; the slug names the issuing region. */
  id: string;
  /** Counts per directive, from 1. */
  revision: number;
  /** Canonical target key. */
  target: string;
  action: string;
  scope: string;
  basis: string;
  reason: string;
  author: string;
  authorRole: string;
  /** When this revision was accepted. */
  acceptedAtMs: number;
  expiresAtMs: number;
  /** When the author's first directive on this target, in this slot, was accepted. */
  termFromMs: number;
  /** The target's national revision that an override has seen; 0: no override. */
  overrideRevision: number;
  /** Id of the batch, or empty. */
  batch: string;
  evidence: string[];
  revoked: boolean;
  revokedBy: string;
  /** Kinds of approval that were missing when it was accepted. */
  missing: string[];
  falseStopOf: string;
  beyondDailyTargets: boolean;
}

/** A person's yes or no to exactly one revision, or to a batch as one. Equal in structure to the event. */
export interface Approval {
  /** Directive id, or empty for a batch. */
  directive: string;
  /** 1 for a batch: it speaks of the members as they were accepted. */
  revision: number;
  batch: string;
  person: string;
  role: string;
  /** The region whose centre wrote it; who reads it from a stream checks that it is that stream's region. */
  region: string;
  kind: string;
  /** false: refused. */
  approved: boolean;
  atMs: number;
  complete: boolean;
}

/** The word that ends a batch. Equal in structure to the event. */
export interface BatchRevocation {
  batch: string;
  person: string;
  role: string;
  reason: string;
  atMs: number;
}

/** What the capital made of one revision of one opinion. Equal in structure to the event. */
export interface Decision {
  region: string;
  directive: string;
  revision: number;
  decision: string;
  /** Empty when accepted. */
  reason: string;
  missing: string[];
}

/** A member of a batch is approved with its batch in this revision alone; an extension is approved by itself. */
export const batchRevision = 1;

/** Older first: by acceptance, and by id where that is equal, so that every reader orders alike. */
export function compareAge(left: Opinion, right: Opinion): number {
  return left.acceptedAtMs - right.acceptedAtMs || compareText(left.id, right.id);
}

/** Code unit order; the same on every machine, unlike a locale's. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
