import type { Decision } from "./opinion.ts";
import type { OverlayDirective, StopSetting } from "./overlay-events.ts";
import type { Trunk } from "./trunk.ts";

/**
 * What is known of one own directive; every field only grows, so that order
 * never matters. It is replaced, never changed: who reads a moment may hold it.
 */
export interface OwnDirective {
  /** The highest revision seen; undefined while only an approval or a decision has arrived. */
  readonly directive: OverlayDirective | undefined;
  /** The highest revision whose approvals are complete; 0: none. */
  readonly approvedRevision: number;
  /** The highest revision that was refused; 0: none. */
  readonly refusedRevision: number;
  readonly decided: DecidedRevision | undefined;
}

/** The capital's last word on a directive. */
export interface DecidedRevision {
  readonly revision: number;
  readonly decision: string;
  /** The decision is `held` because approvals were missing. */
  readonly awaitsApproval: boolean;
  /** Sequence in NATIONAL. */
  readonly sequence: number;
  readonly atMs: number;
}

/** The part of a batch of NATIONAL that speaks about own directives. */
export interface DecidedBatch {
  sequence: number;
  atMs: number;
  decisions: Iterable<Decision>;
  revokedBatches: Iterable<string>;
}

/** An overlay without its directives as plain data: JSON and back. */
export interface OverlayHead {
  region: string;
  eventsSequence: number;
  urgentSequence: number;
  approvedBatches: [string, number][];
  refusedBatches: [string, number][];
  revokedBatches: string[];
  trunks: Trunk[];
  stops: StopSetting[];
}

/** An overlay as plain data. */
export interface OverlayState extends OverlayHead {
  directives: [string, OwnDirective][];
}
