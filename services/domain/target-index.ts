import { rangeSize, readTargetKey } from "./target.ts";
import { internationalWord } from "./trunk.ts";

/** How precisely a target names a call; larger is more specific. */
export const specificity = {
  trunk: 1,
  range: 2,
  number: 3,
  numberOnInternational: 4,
  numberOnTrunk: 5,
} as const;

/** What a call offers to be matched by. */
export interface CallPlace {
  /** E.164, or undefined where none was shown. */
  number: string | undefined;
  trunk: string;
  international: boolean;
}

/** Called for each target that matches; `width` is the count of numbers of a range, else 1. */
export type Visitor<B> = (bucket: B, specific: number, width: number) => void;

/**
 * Finds what is said about a call's number and trunk. Everything but ranges is
 * one look-up in a map; ranges are intervals per length of number.
 */
export class TargetIndex<B> {
  readonly #buckets = new Map<string, B>();
  readonly #rangesOfLength = new Map<number, RangeIndex<B>>();

  get size(): number {
    return this.#buckets.size;
  }

  get(key: string): B | undefined {
    return this.#buckets.get(key);
  }

  buckets(): Iterable<B> {
    return this.#buckets.values();
  }

  /** Keeps a bucket under a target key; a key of no known kind is kept and never matches. */
  set(key: string, bucket: B): void {
    this.#buckets.set(key, bucket);
    if (looksLikeRange(key)) {
      const target = readTargetKey(key);
      if (target?.kind === "range") {
        this.#rangesFor(target.from.length).set(key, target, bucket);
      }
    }
  }

  delete(key: string): void {
    this.#buckets.delete(key);
    if (looksLikeRange(key)) {
      this.#rangesOfLength.get(key.indexOf("-"))?.delete(key);
    }
  }

  #rangesFor(length: number): RangeIndex<B> {
    let ranges = this.#rangesOfLength.get(length);
    if (ranges === undefined) {
      ranges = new RangeIndex();
      this.#rangesOfLength.set(length, ranges);
    }
    return ranges;
  }

  /** Visits number on trunk, number on any international trunk, number and all ranges that contain it. */
  visitNumber(place: CallPlace, visit: Visitor<B>): void {
    const { number } = place;
    if (number === undefined) {
      return;
    }
    this.#visitKey(`${number}@${place.trunk}`, specificity.numberOnTrunk, visit);
    if (place.international) {
      this.#visitKey(`${number}@${internationalWord}`, specificity.numberOnInternational, visit);
    }
    this.#visitKey(number, specificity.number, visit);
    this.#rangesOfLength.get(number.length)?.visit(Number(number.slice(1)), visit);
  }

  /** Visits what is said about the trunk itself. */
  visitTrunk(trunk: string, visit: Visitor<B>): void {
    this.#visitKey(`trunk:${trunk}`, specificity.trunk, visit);
  }

  #visitKey(key: string, specific: number, visit: Visitor<B>): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) {
      visit(bucket, specific, 1);
    }
  }
}

/** Cheap test before parsing: a million plain numbers go through here. */
function looksLikeRange(key: string): boolean {
  return key.length > 15 && key.startsWith("+") && key.includes("-") && !key.includes("@");
}

interface Interval<B> {
  /** Digits as a number: exact, since 15 digits are below 2^53. */
  from: number;
  to: number;
  width: number;
  bucket: B;
}

/**
 * Intervals that contain a point. Sorted by their beginning and read as a
 * balanced tree (the middle of a span is its root) with the furthest end of
 * each subtree beside it: O(log n + found) however they nest. Ranges are few
 * and change seldom, so the arrays are made anew at the first look-up after a
 * change.
 */
class RangeIndex<B> {
  readonly #intervals = new Map<string, Interval<B>>();
  #sorted: Interval<B>[] = [];
  #furthest = new Float64Array(0);
  #stale = false;

  set(key: string, range: { from: string; to: string }, bucket: B): void {
    const [from, to] = [Number(range.from.slice(1)), Number(range.to.slice(1))];
    this.#intervals.set(key, { from, to, width: rangeSize(range), bucket });
    this.#stale = true;
  }

  delete(key: string): void {
    this.#intervals.delete(key);
    this.#stale = true;
  }

  visit(point: number, visit: Visitor<B>): void {
    if (this.#stale) {
      this.#sorted = [...this.#intervals.values()].sort((left, right) => left.from - right.from);
      this.#furthest = new Float64Array(this.#sorted.length);
      this.#measure(0, this.#sorted.length);
      this.#stale = false;
    }
    this.#visitSpan(0, this.#sorted.length, point, visit);
  }

  /** Fills in the furthest ends of a span and returns its own. */
  #measure(begin: number, end: number): number {
    const middle = (begin + end) >>> 1;
    const root = this.#sorted[middle];
    if (begin >= end || root === undefined) {
      return -Infinity;
    }
    const furthest = Math.max(root.to, this.#measure(begin, middle), this.#measure(middle + 1, end));
    this.#furthest[middle] = furthest;
    return furthest;
  }

  #visitSpan(begin: number, end: number, point: number, visit: Visitor<B>): void {
    const middle = (begin + end) >>> 1;
    const root = this.#sorted[middle];
    if (begin >= end || root === undefined || (this.#furthest[middle] ?? -Infinity) < point) {
      return;
    }
    this.#visitSpan(begin, middle, point, visit);
    if (root.from > point) {
      return;
    }
    if (root.to >= point) {
      visit(root.bucket, specificity.range, root.width);
    }
    this.#visitSpan(middle + 1, end, point, visit);
  }
}
