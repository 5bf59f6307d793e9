import { chainStart, type ChainEnd, type Seal, type SealedStream } from "#domain/seal.ts";

/** Leaves of a lane that are kept from its reading, so that most seals are verified without asking the hub again. */
const leavesMax = 4_096;
/** Seals that wait to be verified; those after them are fetched from the hub when it is their turn. */
const waitingMax = 256;

/** A message of a lane as it was read. */
export interface SeenMessage {
  readonly sequence: number;
  /** `leafHash` of its bytes. */
  readonly leaf: Uint8Array;
  /** Where it is one. */
  readonly seal: Seal | undefined;
  readonly wantsSeal: boolean;
  /** When the hub stored it. */
  readonly storedAtMs: number;
}

interface WaitingSeal {
  readonly sequence: number;
  readonly seal: Seal;
}

/** The seals of one lane of a region in one epoch: how far they are verified, and what waits. */
export class LaneSeals {
  readonly of: SealedStream;
  /** Where the verified chain stands, and the message that has its newest seal; 0: none. */
  end: ChainEnd;
  sealAt: number;
  /** Seals up to this message were not kept when they came by: they are fetched. */
  fetchTo = 0;
  readonly #waiting: WaitingSeal[] = [];
  readonly #leaves: Uint8Array[] = [];
  /** Sequence of the first leaf kept, and of the last message seen; 0: none. */
  #leavesFrom = 0;
  #seen = 0;
  /** Messages that want a seal: the oldest that no seal covers, and the newest. */
  #wanting: { readonly sequence: number; readonly storedAtMs: number } | undefined;
  #newestWanting: { readonly sequence: number; readonly storedAtMs: number } | undefined;
  #storedAtMs = 0;

  /** @param sealAt message that has the seal with which `end` ends */
  constructor(of: SealedStream, end: ChainEnd = chainStart, sealAt = 0) {
    this.of = of;
    this.end = end;
    this.sealAt = sealAt;
  }

  /** Takes in the next message of the lane. After a gap in what is seen, which a restart makes, it begins anew. */
  saw(message: SeenMessage): void {
    const { sequence, leaf, seal, wantsSeal, storedAtMs } = message;
    if (sequence !== this.#seen + 1) {
      this.#leaves.length = 0;
      this.#waiting.length = 0;
      this.fetchTo = Math.max(this.fetchTo, sequence - 1);
    }
    this.#seen = sequence;
    if (this.#leaves.length === 0) this.#leavesFrom = sequence;
    this.#leaves.push(leaf);
    if (this.#leaves.length > 2 * leavesMax) {
      this.#leaves.splice(0, leavesMax);
      this.#leavesFrom += leavesMax;
    }
    this.#storedAtMs = Math.max(this.#storedAtMs, storedAtMs);
    if (wantsSeal) this.#newestWanting = { sequence, storedAtMs };
    if (wantsSeal) this.#wanting ??= this.#newestWanting;
    if (seal !== undefined) this.#sawSeal({ sequence, seal });
  }

  #sawSeal(waiting: WaitingSeal): void {
    if (this.#waiting.length < waitingMax) this.#waiting.push(waiting);
    else {
      this.fetchTo = waiting.sequence;
      this.#waiting.length = 0;
    }
    const { last } = waiting.seal;
    if (this.#wanting !== undefined && this.#wanting.sequence <= last) {
      const { sequence = 0 } = this.#newestWanting ?? {};
      this.#wanting = sequence > last ? this.#newestWanting : undefined;
    }
  }

  /** The seal that is verified next, where it was kept; undefined: none waits, or it has to be fetched. */
  nextWaiting(): WaitingSeal | undefined {
    while ((this.#waiting[0]?.sequence ?? Infinity) <= this.sealAt) this.#waiting.shift();
    return this.mustFetch ? undefined : this.#waiting[0];
  }

  /** Whether a seal may stand between the verified one and those that were kept. */
  get mustFetch(): boolean {
    return this.fetchTo > this.sealAt;
  }

  /** Leaves of a range; undefined: they are not kept, not all of them. */
  leavesOf(first: number, last: number): readonly Uint8Array[] | undefined {
    const from = first - this.#leavesFrom;
    const to = last - this.#leavesFrom + 1;
    return from < 0 || to > this.#leaves.length ? undefined : this.#leaves.slice(from, to);
  }

  /** When the hub stored the newest message that was seen. */
  get storedAtMs(): number {
    return this.#storedAtMs;
  }

  /**
   * Since when an event waits for a seal that should have come by now;
   * undefined: none does.
   *
   * @param heardAtMs when the hub stored the newest message of the region: in a region that is cut off nothing is missing
   * @param afterMs how long a seal may take
   */
  missingSinceMs(heardAtMs: number, afterMs: number): number | undefined {
    const sinceMs = this.#wanting?.storedAtMs;
    return sinceMs !== undefined && heardAtMs - sinceMs > afterMs ? sinceMs : undefined;
  }
}
