/**
 * What a region proves that it enforces, read from the receipts of its
 * screening replicas (architecture.md, "Receipts").
 */

/** Streams whose messages a replica applies. */
export type ReceiptStream = "NATIONAL" | "EVENTS" | "URGENT";
const streams: readonly ReceiptStream[] = ["NATIONAL", "EVENTS", "URGENT"];

/** A receipt as it is stored in EVENTS; the generated message fits. */
export interface ReceiptLike {
  readonly replica: string;
  readonly bootId: string;
  readonly ready: boolean;
  readonly nationalEpoch: number;
  readonly nationalSequence: number;
  readonly digest: Uint8Array;
  readonly regionEpoch: number;
  readonly eventsSequence: number;
  readonly urgentSequence: number;
  readonly applied: readonly { readonly stream: string; readonly sequence: number; readonly atMs: number }[];
  readonly atMs: number;
}

/** A replica that was silent for longer is not waited for, and proves nothing. */
export const replicaSilenceMaxMs = 30_000;

/** Epochs are counted from here. */
const firstEpoch = 1;

/** Times of application kept per replica and stream; older ones are forgotten first. */
const applicationsMax = 8_192;
/** Boot ids kept per replica, so that a replayed receipt of an earlier boot changes nothing. */
const formerBootsMax = 16;
/** Replicas kept per region; the one silent for longest is forgotten. */
const replicasMax = 64;

/** What one replica said last. */
export interface ReplicaState {
  readonly replica: string;
  readonly ready: boolean;
  readonly nationalSequence: number;
  /** Digest of its national table at that sequence, 32 bytes. */
  readonly digest: Uint8Array;
  /** When its last receipt was heard. */
  readonly heardAtMs: number;
}

/** When messages of one stream were applied, in the order of their sequences. */
class Applications {
  #sequences: number[] = [];
  #timesMs: number[] = [];

  get last(): number {
    return this.#sequences.at(-1) ?? 0;
  }

  /** Keeps the first time that is heard for a sequence; earlier sequences may come late. */
  add(sequence: number, atMs: number): void {
    const index = this.#indexFrom(sequence);
    if (this.#sequences[index] === sequence) return;
    this.#sequences.splice(index, 0, sequence);
    this.#timesMs.splice(index, 0, atMs);
    if (this.#sequences.length > applicationsMax) {
      const dropped = this.#sequences.length - applicationsMax / 2;
      this.#sequences.splice(0, dropped);
      this.#timesMs.splice(0, dropped);
    }
  }

  /** Time of the smallest known sequence that is not below `sequence`. */
  timeFrom(sequence: number): number | undefined {
    return this.#timesMs[this.#indexFrom(sequence)];
  }

  #indexFrom(sequence: number): number {
    if (sequence > this.last) return this.#sequences.length;
    let low = 0;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sequences[middle] ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface Replica {
  bootId: string;
  formerBoots: string[];
  ready: boolean;
  heardAtMs: number;
  digest: Uint8Array;
  epochs: Record<ReceiptStream, number>;
  sequences: Record<ReceiptStream, number>;
  applications: Record<ReceiptStream, Applications>;
}

/**
 * The receipts of one region. Receipts are cumulative: repeated and overtaken
 * ones change nothing. A replica that starts again may stand further back than
 * it did; what it applied before that is still known.
 */
export class ReceiptBook {
  readonly #replicas = new Map<string, Replica>();
  #heardAtMs = 0;

  /** When any replica of the region was last heard; 0: never. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /**
   * Takes in one receipt.
   *
   * @param heardAtMs when it reached us, by the clock of whoever keeps the book
   */
  apply(receipt: ReceiptLike, heardAtMs: number): void {
    const replica = this.#replica(receipt);
    if (replica.formerBoots.includes(receipt.bootId)) return;
    const sameBoot = replica.bootId === receipt.bootId;
    if (!sameBoot) rememberBoot(replica, receipt.bootId);
    this.#heardAtMs = Math.max(this.#heardAtMs, heardAtMs);
    replica.heardAtMs = Math.max(replica.heardAtMs, heardAtMs);
    const sequences = sequencesOf(receipt);
    const isOvertaken =
      sameBoot &&
      receipt.regionEpoch <= replica.epochs.EVENTS &&
      streams.every((stream) => sequences[stream] <= replica.sequences[stream]);
    const isSame = streams.every((stream) => sequences[stream] === replica.sequences[stream]);
    if (!isOvertaken || isSame) {
      replica.ready = receipt.ready;
      replica.digest = receipt.digest;
    }
    const epochOf = (stream: ReceiptStream) =>
      stream === "NATIONAL" ? receipt.nationalEpoch : receipt.regionEpoch;
    for (const stream of streams) {
      advance(replica, stream, epochOf(stream), sequences[stream], sameBoot);
    }
    for (const { stream, sequence, atMs } of receipt.applied) {
      // A receipt of an earlier epoch, fed again, counts in other sequences.
      if (isStream(stream) && epochOf(stream) === replica.epochs[stream])
        replica.applications[stream].add(sequence, atMs);
    }
    // Applied before this boot, or left out of a long list: known no later than this receipt.
    for (const stream of streams) {
      const sequence = replica.sequences[stream];
      if (sequence > replica.applications[stream].last)
        replica.applications[stream].add(sequence, receipt.atMs);
    }
  }

  /** Replicas that were heard within 30 s. */
  heardReplicas(nowMs: number): ReplicaState[] {
    this.#heardBy(nowMs);
    return this.replicas().filter(({ heardAtMs }) => nowMs - heardAtMs <= replicaSilenceMaxMs);
  }

  /** Replicas that are ready and were heard within 30 s. */
  readyReplicas(nowMs: number): ReplicaState[] {
    return this.heardReplicas(nowMs).filter(({ ready }) => ready);
  }

  /** After a clock was set back, what was heard by it lies ahead, and a replica that is gone would be waited for. */
  #heardBy(nowMs: number): void {
    for (const replica of this.#replicas.values()) replica.heardAtMs = Math.min(replica.heardAtMs, nowMs);
  }

  /** Every replica that is remembered. */
  replicas(): ReplicaState[] {
    return [...this.#replicas].map(([name, { ready, heardAtMs, digest, sequences }]) => ({
      replica: name,
      ready,
      heardAtMs,
      digest,
      nationalSequence: sequences.NATIONAL,
    }));
  }

  /** What every ready replica heard within 30 s has applied; 0 when there is none. */
  enforcedSequence(stream: ReceiptStream, nowMs: number): number {
    const counted = this.#counted(nowMs);
    return counted.length === 0 ? 0 : Math.min(...counted.map((replica) => replica.sequences[stream]));
  }

  /**
   * Since when the region enforces message `sequence` of a stream: the time of
   * application in the last ready replica; undefined while one has not, or none
   * is heard. A replica in a later epoch of the stream has loaded all that was
   * said before it, and stands for it from its first receipt there.
   */
  enforcedAt(
    stream: ReceiptStream,
    sequence: number,
    nowMs: number,
    epoch: number = firstEpoch,
  ): number | undefined {
    const counted = this.#counted(nowMs);
    if (counted.length === 0) return undefined;
    let latestMs = 0;
    for (const replica of counted) {
      if (replica.epochs[stream] < epoch) return undefined;
      const from = replica.epochs[stream] > epoch ? 0 : sequence;
      if (replica.sequences[stream] < from) return undefined;
      const atMs = replica.applications[stream].timeFrom(from);
      if (atMs === undefined) return undefined;
      latestMs = Math.max(latestMs, atMs);
    }
    return latestMs;
  }

  #counted(nowMs: number): Replica[] {
    this.#heardBy(nowMs);
    return [...this.#replicas.values()].filter(
      (replica) => replica.ready && nowMs - replica.heardAtMs <= replicaSilenceMaxMs,
    );
  }

  #replica(receipt: ReceiptLike): Replica {
    const known = this.#replicas.get(receipt.replica);
    if (known !== undefined) return known;
    if (this.#replicas.size >= replicasMax) {
      const [silent] = [...this.#replicas].sort(([, left], [, right]) => left.heardAtMs - right.heardAtMs);
      if (silent !== undefined) this.#replicas.delete(silent[0]);
    }
    const created: Replica = {
      bootId: receipt.bootId,
      formerBoots: [],
      ready: receipt.ready,
      heardAtMs: 0,
      digest: receipt.digest,
      epochs: { NATIONAL: receipt.nationalEpoch, EVENTS: receipt.regionEpoch, URGENT: receipt.regionEpoch },
      sequences: { NATIONAL: 0, EVENTS: 0, URGENT: 0 },
      applications: { NATIONAL: new Applications(), EVENTS: new Applications(), URGENT: new Applications() },
    };
    this.#replicas.set(receipt.replica, created);
    return created;
  }
}

function isStream(text: string): text is ReceiptStream {
  return (streams as readonly string[]).includes(text);
}

function sequencesOf(receipt: ReceiptLike): Record<ReceiptStream, number> {
  return {
    NATIONAL: receipt.nationalSequence,
    EVENTS: receipt.eventsSequence,
    URGENT: receipt.urgentSequence,
  };
}

function rememberBoot(replica: Replica, bootId: string): void {
  replica.formerBoots.push(replica.bootId);
  if (replica.formerBoots.length > formerBootsMax) replica.formerBoots.shift();
  replica.bootId = bootId;
}

/** Within one boot a sequence only grows; a new boot, or a new epoch, says where it stands. */
function advance(
  replica: Replica,
  stream: ReceiptStream,
  epoch: number,
  sequence: number,
  sameBoot: boolean,
): void {
  if (epoch < replica.epochs[stream]) return;
  if (epoch > replica.epochs[stream]) {
    replica.epochs[stream] = epoch;
    replica.applications[stream] = new Applications();
    replica.sequences[stream] = sequence;
    return;
  }
  replica.sequences[stream] = sameBoot ? Math.max(replica.sequences[stream], sequence) : sequence;
}
