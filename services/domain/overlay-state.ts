import type { Decision } from "./opinion.ts";
import type { OverlayDirective, StopSetting } from "./overlay-events.ts";
import type { Trunk } from "./trunk.ts";

/** What is known of one own directive; every field only grows, so that order never matters. */
export interface OwnDirective {
  /** The highest revision seen; undefined while only an approval or a decision has arrived. */
  directive: OverlayDirective | undefined;
  /** The highest revision whose approvals are complete; 0: none. */
  approvedRevision: number;
  /** The highest revision that was refused; 0: none. */
  refusedRevision: number;
  decided: DecidedRevision | undefined;
}

/** The capital's last word on a directive. */
export interface DecidedRevision {
  revision: number;
  decision: string;
  /** The decision is `held` because approvals were missing. */
  awaitsApproval: boolean;
  /** Sequence in NATIONAL. */
  sequence: number;
  atMs: number;
}

/** The part of a batch of NATIONAL that speaks about own directives. */
export interface DecidedBatch {
  sequence: number;
  atMs: number;
  decisions: Iterable<Decision>;
  revokedBatches: Iterable<string>;
}

/** An overlay as plain data: JSON and back. */
export interface OverlayState {
  region: string;
  eventsSequence: number;
  urgentSequence: number;
  directives: [string, OwnDirective][];
  approvedBatches: [string, number][];
  refusedBatches: [string, number][];
  revokedBatches: string[];
  trunks: Trunk[];
  stops: StopSetting[];
}
