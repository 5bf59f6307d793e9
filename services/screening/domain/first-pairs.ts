import { localDay } from "#domain/day-keys.ts";

/** A pair of numbers that was warned or stopped on a day, and the call that was the first. */
export interface FirstPair {
  /** Keyed hash of both numbers, and of what happened to the call. */
  readonly pair: string;
  /** What statistics count the call by. */
  readonly call: string;
}

/**
 * Which pairs of numbers were warned or intercepted today, so that redials of
 * one pair count as one. What is new is handed out once, to be kept beyond a
 * restart (store/pairs-file.ts).
 */
export class FirstPairs {
  readonly #pairsMax: number;
  /** Call by pair. */
  readonly #seen = new Map<string, string>();
  #new: FirstPair[] = [];
  #day = 0;

  constructor(pairsMax: number) {
    this.#pairsMax = pairsMax;
  }

  /**
   * @param call another switch may ask about the same call: it is the first again
   * @returns whether no other call of this pair has been seen on this day
   */
  isFirst(pair: string, call: string, nowMs: number): boolean {
    this.#turnTo(localDay(nowMs));
    const first = this.#seen.get(pair);
    if (first !== undefined) return first === call;
    if (this.#seen.size < this.#pairsMax) {
      this.#seen.set(pair, call);
      this.#new.push({ pair, call });
    }
    return true;
  }

  /** Takes what was kept of a day. */
  restore(day: number, pairs: Iterable<FirstPair>): void {
    this.#turnTo(day);
    for (const { pair, call } of pairs) if (this.#seen.size < this.#pairsMax) this.#seen.set(pair, call);
  }

  /** The pairs that are new since the last call of this, and their day. */
  takeNew(): { day: number; pairs: readonly FirstPair[] } {
    const pairs = this.#new;
    this.#new = [];
    return { day: this.#day, pairs };
  }

  #turnTo(day: number): void {
    if (day === this.#day) return;
    this.#day = day;
    this.#seen.clear();
    this.#new = [];
  }
}
