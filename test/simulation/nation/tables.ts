import type { FoldMemory } from "#domain/fold.ts";
import type { ProtectedNumber } from "#domain/national-rows.ts";
import type { Approval, Decision, Opinion } from "#domain/opinion.ts";
import type { Needs } from "#domain/powers.ts";
import type { ApprovalKind } from "#domain/vocabulary.ts";
import type { PublishedDecision } from "../../../services/coordination/domain/refold.ts";
import type { Lane } from "#proto/names.ts";
import type { Enforcement, NationalStop, Receipt, TrunkSet } from "#proto/qalqan/events/v1/events.ts";

/** The latest revision of a directive as its centre keeps it; rows are replaced, never written into. */
export interface DirectiveRow {
  readonly opinion: Opinion;
  /** Missing now, in this region's judgement. */
  readonly missing: readonly ApprovalKind[];
  readonly refused: boolean;
  /** The region's overlay enforces it: nothing was missing, or nothing is any more. */
  readonly isEffective: boolean;
  readonly decision: Decision | undefined;
}

export interface BatchRow {
  readonly id: string;
  readonly author: string;
  readonly needs: readonly Needs[];
  readonly expiresAtMs: number;
  readonly refused: boolean;
  readonly isEffective: boolean;
  readonly revokedBy: string;
  readonly revokedAtMs: number;
}

/** An event of the outbox; its bytes have no outbox number yet. */
export interface OutboxRow {
  readonly number: number;
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Where it stands in the lane; undefined: nowhere, as far as is known. */
  readonly place: { readonly epoch: number; readonly sequence: number } | undefined;
}

export interface StopRow {
  readonly revision: number;
  readonly stopped: boolean;
  readonly person: string;
  readonly carrier: string;
}

/** What a region's PostgreSQL keeps. */
export interface CentreTables {
  readonly directives: Map<string, DirectiveRow>;
  readonly batches: Map<string, BatchRow>;
  readonly approvals: Approval[];
  readonly trunks: Map<string, TrunkSet>;
  readonly stops: Map<string, StopRow>;
  readonly protectedNumbers: Map<string, readonly string[]>;
  readonly outbox: Record<Lane, OutboxRow[]>;
  /** Last number given in each lane. */
  readonly counters: Record<Lane, number>;
  /** What each request's key stands for. */
  readonly keys: Map<string, string>;
  /** Watermarks of the region's copies. */
  readonly inbox: Map<string, number>;
  readonly foreignHeld: Map<string, { readonly revision: number; readonly missing: readonly string[] }>;
  /** The nation's decisions on revisions that are not here, by `directive revision`. */
  readonly decisionsAhead: Map<string, Decision>;
  /** By message of NATIONAL and region: since when it is enforced there. */
  readonly enforcements: Map<string, Enforcement>;
}

export function emptyCentre(): CentreTables {
  return {
    directives: new Map(),
    batches: new Map(),
    approvals: [],
    trunks: new Map(),
    stops: new Map(),
    protectedNumbers: new Map(),
    outbox: { urgent: [], events: [] },
    counters: { urgent: 0, events: 0 },
    keys: new Map(),
    inbox: new Map(),
    foreignHeld: new Map(),
    decisionsAhead: new Map(),
    enforcements: new Map(),
  };
}

export function copyCentre(tables: CentreTables): CentreTables {
  return {
    directives: new Map(tables.directives),
    batches: new Map(tables.batches),
    approvals: [...tables.approvals],
    trunks: new Map(tables.trunks),
    stops: new Map(tables.stops),
    protectedNumbers: new Map(tables.protectedNumbers),
    outbox: { urgent: [...tables.outbox.urgent], events: [...tables.outbox.events] },
    counters: { ...tables.counters },
    keys: new Map(tables.keys),
    inbox: new Map(tables.inbox),
    foreignHeld: new Map(tables.foreignHeld),
    decisionsAhead: new Map(tables.decisionsAhead),
    enforcements: new Map(tables.enforcements),
  };
}

export interface LogRow {
  readonly bytes: Uint8Array;
  readonly digest: Uint8Array;
  readonly atMs: number;
}

export interface DecisionRow extends PublishedDecision {
  readonly region: string;
  readonly sequence: number;
}

export interface Job {
  readonly kind: "batch" | "trunk" | "number" | "target";
  readonly key: string;
  readonly urgent: boolean;
}

/** What stood in a lane. */
export interface Mark {
  readonly sequence: number;
  readonly leaf: Uint8Array;
}

/** What the capital's PostgreSQL keeps. */
export interface CapitalTables {
  /** Message n of NATIONAL is row n − 1. */
  readonly log: LogRow[];
  /** Messages of each FOR. */
  readonly regionLogs: Map<string, Uint8Array[]>;
  /** Watermarks, by `region lane epoch`; what stood there, and at some earlier messages. */
  readonly inbox: Map<string, number>;
  readonly marks: Map<string, readonly Mark[]>;
  /** Up to where each lane is read again before anything is folded. */
  readonly readTo: Map<string, number>;
  readonly opinions: Map<string, Opinion>;
  readonly approvals: Approval[];
  readonly revokedBatches: Set<string>;
  readonly trunks: Map<
    string,
    { readonly region: string; readonly trunk: string; readonly revision: number; readonly direction: string }
  >;
  readonly protectedNumbers: Map<string, ProtectedNumber>;
  readonly memories: Map<string, FoldMemory>;
  readonly decisions: Map<string, DecisionRow>;
  readonly jobs: Map<string, Job>;
  readonly replicas: Map<
    string,
    { readonly region: string; readonly receipt: Receipt; readonly heardAtMs: number }
  >;
  /** Up to this message of NATIONAL each region's enforcement was told. */
  readonly told: Map<string, number>;
  readonly single: {
    /** Who leads. */
    leader: string;
    introduced: number;
    expiry: { ms: number; directive: string };
    stop: NationalStop | undefined;
  };
}

export function emptyCapital(): CapitalTables {
  return {
    log: [],
    regionLogs: new Map(),
    inbox: new Map(),
    marks: new Map(),
    readTo: new Map(),
    opinions: new Map(),
    approvals: [],
    revokedBatches: new Set(),
    trunks: new Map(),
    protectedNumbers: new Map(),
    memories: new Map(),
    decisions: new Map(),
    jobs: new Map(),
    replicas: new Map(),
    told: new Map(),
    single: { leader: "", introduced: 0, expiry: { ms: 0, directive: "" }, stop: undefined },
  };
}

export function copyCapital(tables: CapitalTables): CapitalTables {
  return {
    log: [...tables.log],
    regionLogs: new Map([...tables.regionLogs].map(([region, log]) => [region, [...log]])),
    inbox: new Map(tables.inbox),
    marks: new Map(tables.marks),
    readTo: new Map(tables.readTo),
    opinions: new Map(tables.opinions),
    approvals: [...tables.approvals],
    revokedBatches: new Set(tables.revokedBatches),
    trunks: new Map(tables.trunks),
    protectedNumbers: new Map(tables.protectedNumbers),
    memories: new Map(tables.memories),
    decisions: new Map(tables.decisions),
    jobs: new Map(tables.jobs),
    replicas: new Map(tables.replicas),
    told: new Map(tables.told),
    single: { ...tables.single },
  };
}
