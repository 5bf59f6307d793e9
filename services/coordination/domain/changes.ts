import type { FoldMemory } from "#domain/fold.ts";
import type { NationalStop, ProtectedNumber } from "#domain/national-rows.ts";
import type { Seal } from "#domain/seal.ts";
import { parseTargetKey } from "#domain/target.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { Lane } from "#proto/names.ts";
import type { Approval, BatchRevocation, Directive, Receipt } from "#proto/qalqan/events/v1/events.ts";
import type { EpochOpened } from "#proto/qalqan/events/v1/sync.ts";
import type { FinishedBatch } from "./national-batch.ts";
import type { NewDecision } from "./refold.ts";
import type { StatisticsChange } from "./statistics.ts";

/** How far one lane of a region was read, and is read with this step. */
export interface LaneMove {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly from: number;
  to: number;
  /** `leafHash` of message `to`. */
  leaf: Uint8Array;
  /** What stood there is remembered also when the lane has moved on. */
  readonly isMark: boolean;
  /** Among what is read with this step is that the region has opened this epoch. */
  opened: Pick<EpochOpened, "previousEpoch" | "hubLast"> | undefined;
}

/** Something that the audit keeps; no telephone number of a victim, no name. */
export interface AuditLine {
  readonly actor: string;
  readonly role: string;
  readonly region: string;
  readonly what: string;
  readonly detail: string;
}

/** A message of FOR_<region>. */
export interface RegionMessage {
  readonly region: string;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export interface JobKey {
  readonly kind: "batch" | "trunk" | "number" | "target";
  readonly key: string;
}

export interface IntelligenceChange {
  readonly id: string;
  readonly region: string;
  readonly revision: number;
  readonly withdrawn: boolean;
  readonly audience: string;
  readonly body: Uint8Array | undefined;
}

/** Everything that one step writes, in one transaction. */
export interface Changes {
  readonly nowMs: number;
  readonly lanes: LaneMove[];
  readonly directives: Directive[];
  readonly approvals: Approval[];
  readonly batchRevocations: BatchRevocation[];
  readonly trunks: { region: string; trunk: string; revision: number; direction: string }[];
  readonly protectedNumbers: ProtectedNumber[];
  readonly unprotectedNumbers: string[];
  stop: NationalStop | undefined;
  memories: ReadonlyMap<string, FoldMemory>;
  decisions: readonly NewDecision[];
  batch: FinishedBatch | undefined;
  /** The seal that is in that batch. */
  nationalSeal: Seal | undefined;
  readonly regionMessages: RegionMessage[];
  /** Decisions up to this sequence are told to their authors' regions. */
  introduced: number | undefined;
  readonly told: { region: string; sequence: number }[];
  readonly enforced: { region: string; sequence: number; atMs: number }[];
  readonly replicas: { region: string; receipt: Receipt; heardAtMs: number }[];
  readonly states: { region: string; state: string; sinceMs: number }[];
  readonly finishedJobs: { kind: string; key: string }[];
  advancedJob: { kind: string; key: string; cursor: string } | undefined;
  readonly newJobs: (JobKey & { urgent: boolean })[];
  expiry: { ms: number; directive: string } | undefined;
  readonly intelligence: IntelligenceChange[];
  statistics: StatisticsChange | undefined;
  readonly audit: AuditLine[];
}

export function noChanges(nowMs: number): Changes {
  return {
    nowMs,
    lanes: [],
    directives: [],
    approvals: [],
    batchRevocations: [],
    trunks: [],
    protectedNumbers: [],
    unprotectedNumbers: [],
    stop: undefined,
    memories: new Map(),
    decisions: [],
    batch: undefined,
    nationalSeal: undefined,
    regionMessages: [],
    introduced: undefined,
    told: [],
    enforced: [],
    replicas: [],
    states: [],
    finishedJobs: [],
    advancedJob: undefined,
    newJobs: [],
    expiry: undefined,
    intelligence: [],
    statistics: undefined,
    audit: [],
  };
}

/** Whether a step has something to write. */
export function hasChanges(changes: Changes): boolean {
  return (
    Object.values(changes).some((value: unknown) =>
      Array.isArray(value)
        ? value.length > 0
        : value instanceof Map
          ? value.size > 0
          : typeof value === "object",
    ) || changes.introduced !== undefined
  );
}

/** The trunk that a target names, so that it can be found when the trunk changes; undefined: none. */
export function trunkOfTarget(target: string): string | undefined {
  try {
    const parsed = parseTargetKey(target);
    return parsed.kind === "trunk" || parsed.kind === "number-on-trunk" ? parsed.trunk : undefined;
  } catch (error) {
    // A kind of target that a newer release knows.
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
