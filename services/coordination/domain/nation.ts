import { ReceiptBook, replicaSilenceMaxMs } from "#domain/receipts.ts";
import type { Alarm, RegionAlarms, Seal, StreamReport } from "#proto/qalqan/events/v1/sync.ts";
import { isRefusedAt, type KeyChange } from "./key-changes.ts";

/** Services of a region that tell alarms. */
const alarmSourcesMax = 16;

/** A region that was not heard for longer is cut off. */
export const regionSilenceMaxMs = 15_000;

/** Digests of the newest messages that a receipt can be compared with. */
const digestsMax = 8_192;

export type RegionState = "in-sync" | "behind" | "cut-off" | "diverged";

/** What the capital knows of one region. */
export class RegionKnowledge {
  readonly region: string;
  readonly book = new ReceiptBook();
  /** When anything was last heard of it; 0: never. */
  heardAtMs = 0;
  state: RegionState = "cut-off";
  sinceMs: number;
  /** Up to this sequence of NATIONAL its enforcement was told to the authors' regions. */
  toldSequence = 0;
  /** Epoch of its lanes, as its last heartbeat said. */
  epoch = 0;
  /** Its streams, likewise. */
  streams: readonly StreamReport[] = [];
  /** The capital's newest seal that it has shown; nobody has looked yet whether it is one. */
  nationalSeal: Seal | undefined;
  /** What became of the key of its line. */
  keyChanges: readonly KeyChange[] = [];
  /** What each of its services wants somebody to look at, by service. */
  readonly #alarms = new Map<string, readonly Alarm[]>();

  constructor(region: string, nowMs: number) {
    this.region = region;
    this.sinceMs = nowMs;
  }

  get alarms(): readonly Alarm[] {
    return [...this.#alarms.values()].flat();
  }

  /** Whether what the hub stored then was sent with a key that is revoked. */
  isRefusedAt(storedAtMs: number): boolean {
    return isRefusedAt(this.keyChanges, storedAtMs);
  }

  /** Its replication has told how its streams stand. */
  reported(epoch: number, streams: readonly StreamReport[], nationalSeal: Seal | undefined): void {
    this.epoch = Math.max(this.epoch, epoch);
    this.streams = streams;
    this.nationalSeal = nationalSeal;
  }

  /** One of its services has told all its alarms. */
  alarmed({ source, alarms }: RegionAlarms): void {
    if (this.#alarms.has(source) || this.#alarms.size < alarmSourcesMax) this.#alarms.set(source, alarms);
  }

  /** Heard within 30 s: whoever waits for receipts waits for it. */
  isAwaited(nowMs: number): boolean {
    return this.#silentMs(nowMs) <= replicaSilenceMaxMs;
  }

  isCutOff(nowMs: number): boolean {
    return this.#silentMs(nowMs) > regionSilenceMaxMs;
  }

  /** After a clock was set back, what was heard by it lies ahead, and a region that is gone would count as heard. */
  #silentMs(nowMs: number): number {
    this.heardAtMs = Math.min(this.heardAtMs, nowMs);
    return nowMs - this.heardAtMs;
  }
}

/** The digest of the national table after each of the newest messages. */
export class RecentDigests {
  readonly #digests = new Map<number, Uint8Array>();

  add(sequence: number, digest: Uint8Array): void {
    this.#digests.set(sequence, digest);
    if (this.#digests.size > digestsMax) {
      const [oldest] = this.#digests.keys();
      if (oldest !== undefined) this.#digests.delete(oldest);
    }
  }

  /** Undefined: too old to be remembered. */
  at(sequence: number): Uint8Array | undefined {
    return this.#digests.get(sequence);
  }
}

/** Where the capital stands. */
export interface NationalPosition {
  /** Last sequence that is committed; a region can apply it before we hear that the hub has it. */
  readonly committed: number;
  /** Sequence that the latest heartbeat told. */
  readonly heartbeat: number;
  readonly digests: RecentDigests;
}

/**
 * The state of a region: silent for 15 s → cut off; a digest that is not ours
 * at its sequence → diverged; where the latest heartbeat was → in sync.
 */
export function judgeRegion(
  knowledge: RegionKnowledge,
  position: NationalPosition,
  nowMs: number,
): RegionState {
  if (knowledge.isCutOff(nowMs)) return "cut-off";
  const heard = knowledge.book.heardReplicas(nowMs);
  for (const { nationalSequence, digest } of heard) {
    const ours = position.digests.at(nationalSequence);
    const isAhead = nationalSequence > position.committed;
    if (isAhead || (ours !== undefined && Buffer.compare(ours, digest) !== 0)) return "diverged";
  }
  const isReady = heard.some(({ ready }) => ready);
  const enforced = knowledge.book.enforcedSequence("NATIONAL", nowMs);
  return isReady && enforced >= position.heartbeat ? "in-sync" : "behind";
}

/**
 * Sequence and digest of the replica of a region that stands furthest back.
 * When none has been heard lately, what they said last: it is how far the
 * region's enforcement is known to have come.
 */
export function slowestTable(
  knowledge: RegionKnowledge,
  nowMs: number,
): { readonly sequence: number; readonly digest: Uint8Array } {
  const ready = knowledge.book.readyReplicas(nowMs);
  const asked = ready.length > 0 ? ready : knowledge.book.replicas();
  const [slowest] = asked.toSorted((left, right) => left.nationalSequence - right.nationalSequence);
  return { sequence: slowest?.nationalSequence ?? 0, digest: slowest?.digest ?? new Uint8Array() };
}
