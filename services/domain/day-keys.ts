import { hkdfSync } from "node:crypto";

/** Kazakhstan has one time, UTC+5, since March 2024. */
const localOffsetMs = 5 * 3_600_000;
const dayMs = 24 * 3_600_000;

/** Days since 1970 as Kazakhstan counts them. */
export function localDay(atMs: number): number {
  return Math.floor((atMs + localOffsetMs) / dayMs);
}

const keyBytes = 32;
/** A switch says when a call was: late and early ones of some days at once. */
const daysKeptMax = 4;

/**
 * The keys with which a region hashes called numbers: another one each day,
 * derived from the region's own key, which never leaves it (HKDF-SHA256, RFC
 * 5869). So a hash that left the region says nothing about the same number on
 * another day, and a day's key nothing about that of another.
 */
export class DayKeys {
  readonly #regionKey: Uint8Array;
  readonly #known = new Map<number, Uint8Array>();

  constructor(regionKey: Uint8Array) {
    this.#regionKey = regionKey;
  }

  /** The key of the local day of a moment (milliseconds since 1970). */
  at(atMs: number): Uint8Array {
    const day = localDay(atMs);
    const known = this.#known.get(day);
    if (known !== undefined) return known;
    const key = new Uint8Array(
      hkdfSync("sha256", this.#regionKey, "", `qalqan called numbers ${day}`, keyBytes),
    );
    if (this.#known.size >= daysKeptMax) this.#known.clear();
    this.#known.set(day, key);
    return key;
  }
}
