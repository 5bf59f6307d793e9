/** The part of a directive that enforcement needs (events.Directive). */
export interface OverlayDirective {
  id: string;
  revision: number;
  target: string;
  action: string;
  scope: string;
  reason: string;
  authorRole: string;
  expiresAtMs: number;
  /** The national revision that an override has seen; 0: no override. */
  overrideRevision: number;
  batch: string;
  revoked: boolean;
  /** Approvals still missing when it was accepted. */
  missing: readonly string[];
  falseStopOf: string;
}

/** events.Approval */
export interface OverlayApproval {
  /** Directive id, or empty for a batch. */
  directive: string;
  revision: number;
  batch: string;
  approved: boolean;
  complete: boolean;
}

/** events.TrunkSet */
export interface TrunkSetting {
  trunk: string;
  revision: number;
  direction: string;
  operator: string;
  sbcAddress: string;
  mode: string;
  percent: number;
}

/** events.RegionStop */
export interface StopSetting {
  revision: number;
  stopped: boolean;
  person: string;
  /** Trunks that a carrier stopped; empty: the whole region. */
  carrier: string;
}

/**
 * An event of the region's two lanes, as far as the overlay reads it
 * (events.Event); every other body passes by.
 */
export interface OverlayEvent {
  body:
    | { $case: "directives"; value: { directives: OverlayDirective[] } }
    | { $case: "approval"; value: OverlayApproval }
    | { $case: "batchRevocation"; value: { batch: string } }
    | { $case: "trunkSet"; value: TrunkSetting }
    | { $case: "regionStop"; value: StopSetting }
    | { $case: "receipt" | "counters" | "intelligence" | "intelligenceWithdrawn" | "heartbeat" }
    | { $case: "epochOpened" | "seal" | "alarms" }
    | undefined;
}

/** Where an event stood. */
export interface LanePosition {
  lane: "events" | "urgent";
  sequence: number;
}
