import { randomFrom } from "../faults/schedule.ts";

/** A value that is drawn in proportion to its weight. */
export interface Weighted<Value> {
  readonly value: Value;
  readonly weight: number;
}

/** Seeded draws: the same seed gives the same ones in the same order. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** In [0, 1). */
  number(): number {
    return this.#random();
  }

  /** Whether something of this share (0 to 1) happens. */
  happens(share: number): boolean {
    return this.#random() < share;
  }

  /** A whole number from 0 below `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  /** Decimal digits, the first of them possibly 0. */
  digits(count: number): string {
    let text = "";
    while (text.length < count) {
      const take = Math.min(6, count - text.length);
      text += String(this.below(10 ** take)).padStart(take, "0");
    }
    return text;
  }

  /** @throws RangeError on an empty list */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  /** @throws RangeError on an empty list */
  weighted<Value>(items: readonly Weighted<Value>[]): Value {
    const total = items.reduce((sum, { weight }) => sum + weight, 0);
    let left = this.#random() * total;
    for (const { value, weight } of items) {
      left -= weight;
      if (left < 0) return value;
    }
    // Rounding may leave a trace above the last weight.
    const last = items.at(-1);
    if (last === undefined) throw new RangeError("nothing to pick from");
    return last.value;
  }
}
