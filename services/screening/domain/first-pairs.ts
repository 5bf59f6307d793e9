/** Kazakhstan has one time, UTC+5, since March 2024. */
const localOffsetMs = 5 * 3_600_000;
const dayMs = 24 * 3_600_000;

/**
 * Which pairs of numbers were warned or stopped today, so that redials of one
 * pair count as one. In memory alone, as keyed hashes: a restart forgets them,
 * and the first redial after it counts once more.
 */
export class FirstPairs {
  readonly #pairsMax: number;
  readonly #seen = new Set<string>();
  #day = 0;

  constructor(pairsMax: number) {
    this.#pairsMax = pairsMax;
  }

  /**
   * @param pair keyed hash of both numbers, and of what happened to the call
   * @returns whether this pair has not been seen before on this day
   */
  isFirst(pair: string, nowMs: number): boolean {
    const day = Math.floor((nowMs + localOffsetMs) / dayMs);
    if (day !== this.#day) {
      this.#day = day;
      this.#seen.clear();
    }
    if (this.#seen.has(pair)) return false;
    if (this.#seen.size < this.#pairsMax) this.#seen.add(pair);
    return true;
  }
}
