import { InvalidInput } from "#domain/invalid-input.ts";
import { targetFrom, targetKey, type Target } from "#domain/target.ts";
import type { ImportEntry, RefusedEntry } from "#proto/qalqan/centre/v1/centre.ts";

/** An entry that will become a directive. */
export interface CollectedEntry {
  readonly index: number;
  /** As it stood in the file. */
  readonly number: string;
  readonly target: Target;
  readonly key: string;
}

/**
 * Reads the entries of one import: repeats within the file are merged into the
 * first, what is no number is refused. accepted + merged + refused = entries.
 */
export class EntryCollector {
  readonly #entriesMax: number;
  readonly #byTarget = new Map<string, CollectedEntry>();
  readonly #refusedByReason = new Map<string, number>();
  #entries = 0;
  #merged = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get entries(): number {
    return this.#entries;
  }

  get merged(): number {
    return this.#merged;
  }

  /** Entries that were neither merged nor refused, in the order of the file. */
  get collected(): Iterable<CollectedEntry> {
    return this.#byTarget.values();
  }

  get collectedCount(): number {
    return this.#byTarget.size;
  }

  get refusedByReason(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refusedByReason);
  }

  /**
   * Takes in one entry.
   *
   * @returns why it is refused, if it is
   * @throws InvalidInput `too-many` beyond the most that an import may have
   */
  add(entry: ImportEntry): RefusedEntry | undefined {
    this.#entries += 1;
    if (this.#entries > this.#entriesMax) {
      throw new InvalidInput({
        code: "too-many",
        field: "entries",
        value: String(this.#entries),
        message: "are more than one import may have",
        remedy: `Split the file: at most ${this.#entriesMax} entries.`,
      });
    }
    try {
      const target = targetFrom({ number: entry.number });
      const key = targetKey(target);
      if (this.#byTarget.has(key)) this.#merged += 1;
      else this.#byTarget.set(key, { index: entry.index, number: entry.number, target, key });
      return undefined;
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      return this.#refused(entry, error.code);
    }
  }

  /** Takes a collected entry out again. */
  refuse(entry: CollectedEntry, reason: string): RefusedEntry {
    this.#byTarget.delete(entry.key);
    return this.#refused(entry, reason);
  }

  #refused(entry: { readonly index: number; readonly number: string }, reason: string): RefusedEntry {
    this.#refusedByReason.set(reason, (this.#refusedByReason.get(reason) ?? 0) + 1);
    return { index: entry.index, reason, number: entry.number };
  }
}
