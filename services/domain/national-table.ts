import { SetDigest } from "./digest.ts";
import type { Entry, NationalChange, NationalRow, NationalStop, ProtectedNumber } from "./national-rows.ts";
import {
  entryRowKey,
  entryText,
  protectedRowKey,
  protectedText,
  stopRowKey,
  stopText,
} from "./national-rows.ts";
import type { Decision } from "./opinion.ts";
import { sharedText } from "./shared-text.ts";
import {
  compactEntry,
  emptyBucket,
  isSlot,
  visitLive,
  withSlot,
  type EntryVisitor,
  type SlotBucket,
} from "./slot-bucket.ts";
import type { CallPlace } from "./target-index.ts";
import { TargetIndex } from "./target-index.ts";
import type { Slot } from "./vocabulary.ts";
import { slots } from "./vocabulary.ts";

/** So many are looked at before questions are answered again. */
const lookedPerStep = 1_000;

/** Whether a protected number is shown where it really originates. */
export type Protection = "own-trunk" | "elsewhere";

/** A decision on an own directive, with the batch that carried it. */
export interface DecisionAt extends Decision {
  sequence: number;
  atMs: number;
}

/** The table is asked to apply a batch that is not the next one. */
export class WrongSequence extends Error {
  readonly expected: number;
  readonly received: number;

  constructor(expected: number, received: number) {
    super(`NATIONAL: expected sequence ${expected}, received ${received}`);
    this.name = "WrongSequence";
    this.expected = expected;
    this.received = received;
  }
}

/** A part of the whole state at one sequence, as a chunk of a snapshot carries it. */
export interface NationalPart {
  rows: Iterable<NationalRow>;
  decisions: Iterable<DecisionAt>;
  revokedBatches: Iterable<string>;
}

/**
 * The national table at one sequence of NATIONAL: the same in every region.
 * Remembers beside it (not in the digest) what was decided on the directives
 * of its own region, so that an event which comes later stays decided.
 */
export class NationalTable {
  readonly region: string;
  readonly #entries = new TargetIndex<SlotBucket>();
  /** Rows with a slot that only a newer release knows: in the digest, enforced nowhere. */
  readonly #unknownEntries = new Map<string, Entry>();
  readonly #protected = new Map<string, ProtectedNumber>();
  #stop: NationalStop | undefined;
  readonly #digest = new SetDigest();
  #rowCount = 0;
  #sequence = 0;
  readonly #decided = new Map<string, DecisionAt>();
  readonly #revokedBatches = new Set<string>();

  /** @param region slug whose decisions are remembered; `capital` remembers none */
  constructor(region: string) {
    this.region = region;
  }

  /** Adds a part of a whole state to a table that nobody reads yet; `arrive` says of which moment it is. */
  load(part: NationalPart): void {
    for (const row of part.rows) {
      this.#put(row);
    }
    for (const decision of part.decisions) {
      this.#remember(decision, decision);
    }
    for (const batch of part.revokedBatches) {
      this.#revokedBatches.add(batch);
    }
  }

  /** What was loaded is the whole state after a sequence. @returns whether it has that state's digest */
  arrive(sequence: number, digest: Uint8Array): boolean {
    this.#sequence = sequence;
    return this.#digest.equals(digest);
  }

  /** Sequence of the last batch applied; 0: none yet. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Digest of all rows, 32 bytes. */
  get digest(): Uint8Array {
    return this.#digest.value();
  }

  /** Rows: entries, expired ones too, protected numbers and the stop. */
  get size(): number {
    return this.#rowCount;
  }

  /** Whether the nation's stop switch is on. */
  get stopped(): boolean {
    return this.#stop?.stopped ?? false;
  }

  get stop(): NationalStop | undefined {
    return this.#stop;
  }

  /**
   * Applies the next batch as a whole.
   * @returns whether the digest equals the batch's `digestAfter`. The capital,
   * which has none yet, applies first and reads `digest`.
   * @throws WrongSequence when the batch is not the next; nothing has changed then
   */
  apply(batch: NationalChange): boolean {
    if (batch.sequence !== this.#sequence + 1) {
      throw new WrongSequence(this.#sequence + 1, batch.sequence);
    }
    for (const row of batch.rows) {
      this.#put(row);
    }
    for (const decision of batch.decisions) {
      this.#remember(decision, batch);
    }
    for (const revoked of batch.revokedBatches) {
      this.#revokedBatches.add(revoked);
    }
    this.#sequence = batch.sequence;
    return this.#digest.equals(batch.digestAfter);
  }

  #put({ row }: NationalRow): void {
    switch (row?.$case) {
      case "entry":
        this.#putEntry(row.value);
        break;
      case "protectedNumber":
        this.#remove(protectedRowKey(row.value.number));
        this.#protected.set(row.value.number, {
          ...row.value,
          originatesFrom: [...row.value.originatesFrom],
        });
        this.#added(protectedText(row.value));
        break;
      case "stop":
        this.#remove(stopRowKey);
        this.#stop = { ...row.value };
        this.#added(stopText(row.value));
        break;
      case "removed":
        this.#remove(row.value);
        break;
      case undefined:
        // A newer release's row: the digest will differ, which names this region.
        break;
    }
  }

  #putEntry(given: Entry): void {
    const entry = compactEntry(given);
    if (isSlot(entry.slot)) {
      // A million of these come at once: no key is put together.
      const bucket = this.#entries.get(entry.target) ?? emptyBucket;
      const before = bucket[entry.slot];
      if (before !== undefined) this.#removed(entryText(before));
      this.#entries.set(entry.target, withSlot(bucket, entry.slot, entry));
    } else {
      const key = entryRowKey(entry.slot, entry.target);
      this.#remove(key);
      this.#unknownEntries.set(key, entry);
    }
    this.#added(entryText(entry));
  }

  #added(text: string): void {
    this.#digest.add(text);
    this.#rowCount++;
  }

  #removed(text: string): void {
    this.#digest.remove(text);
    this.#rowCount--;
  }

  /** Removes the row of a key; a key that names no row changes nothing. */
  #remove(key: string): void {
    if (key === stopRowKey) {
      if (this.#stop !== undefined) {
        this.#removed(stopText(this.#stop));
        this.#stop = undefined;
      }
      return;
    }
    const bar = key.indexOf("|");
    const [slot, rest] = [key.slice(0, bar), key.slice(bar + 1)];
    if (slot === "protected") {
      const row = this.#protected.get(rest);
      if (row !== undefined) {
        this.#removed(protectedText(row));
        this.#protected.delete(rest);
      }
    } else if (isSlot(slot)) {
      this.#removeEntry(slot, rest);
    } else {
      const entry = this.#unknownEntries.get(key);
      if (entry !== undefined) {
        this.#removed(entryText(entry));
        this.#unknownEntries.delete(key);
      }
    }
  }

  #removeEntry(slot: Slot, target: string): void {
    const bucket = this.#entries.get(target);
    const entry = bucket?.[slot];
    if (bucket === undefined || entry === undefined) {
      return;
    }
    this.#removed(entryText(entry));
    const left = withSlot(bucket, slot, undefined);
    if (slots.every((each) => left[each] === undefined)) this.#entries.delete(target);
    else this.#entries.set(target, left);
  }

  /** Remembers a decision on an own directive; others are passed over. */
  #remember(decision: Decision, batch: { sequence: number; atMs: number }): void {
    if (decision.region === this.region) {
      const { sequence, atMs } = batch;
      this.#decided.set(decision.directive, {
        directive: decision.directive,
        region: this.region,
        revision: decision.revision,
        decision: sharedText(decision.decision),
        reason: sharedText(decision.reason),
        missing: decision.missing.length === 0 ? nothingMissing : [...decision.missing],
        ...{ sequence, atMs },
      });
    }
  }

  /** The entries of exactly one target, expired ones too. */
  entriesOf(target: string): Readonly<Partial<Record<Slot, Entry | undefined>>> {
    return this.#entries.get(target) ?? {};
  }

  /**
   * Visits the live entries about a call's number: number on trunk, on any
   * international trunk, number, all ranges that contain it.
   */
  visitNumber(place: CallPlace, nowMs: number, visit: EntryVisitor): void {
    if (this.#entries.size > 0) {
      this.#entries.visitNumber(place, (bucket, specific, width) =>
        visitLive(bucket, nowMs, specific, width, visit),
      );
    }
  }

  /** Visits the live entries about the trunk itself. */
  visitTrunk(trunk: string, nowMs: number, visit: EntryVisitor): void {
    this.#entries.visitTrunk(trunk, (bucket, specific, width) =>
      visitLive(bucket, nowMs, specific, width, visit),
    );
  }

  /** Undefined for a number that is not protected. */
  protectionOf(place: CallPlace): Protection | undefined {
    const row = place.number === undefined ? undefined : this.#protected.get(place.number);
    if (row === undefined) {
      return undefined;
    }
    const trunks = row.originatesFrom;
    const own = trunks.includes(place.trunk) || (place.international && trunks.includes("international"));
    return own ? "own-trunk" : "elsewhere";
  }

  /** The protected number with its trunks, or undefined. */
  protectedNumber(number: string): ProtectedNumber | undefined {
    return this.#protected.get(number);
  }

  protectedNumbers(): Iterable<ProtectedNumber> {
    return this.#protected.values();
  }

  /** Revision of an own directive that was decided last; 0: none. */
  decidedRevision(directive: string): number {
    return this.#decided.get(directive)?.revision ?? 0;
  }

  /** The last decision on each own directive, as of the call however slowly they are read. */
  decisions(): readonly DecisionAt[] {
    return [...this.#decided.values()];
  }

  isRevokedBatch(batch: string): boolean {
    return this.#revokedBatches.has(batch);
  }

  revokedBatches(): Iterable<string> {
    return this.#revokedBatches;
  }

  /**
   * Forgets final decisions older than a time, some at each step; an event they
   * are about has either arrived by then or never will.
   */
  *forgettingDecisionsBefore(atMs: number): Generator<void> {
    let looked = 0;
    for (const [directive, decided] of this.#decided) {
      if (decided.atMs < atMs && decided.decision !== "accepted" && decided.decision !== "held") {
        this.#decided.delete(directive);
      }
      looked += 1;
      if (looked % lookedPerStep === 0) yield;
    }
  }

  /** All rows, in no particular order, as of the call however slowly they are read. */
  rows(): Iterable<NationalRow> {
    const others = [...this.#unknownEntries.values()];
    return rowsOf([...this.#entries.buckets()], others, [...this.#protected.values()], this.#stop);
  }
}

function* rowsOf(
  buckets: readonly SlotBucket[],
  others: readonly Entry[],
  protectedNumbers: readonly ProtectedNumber[],
  stop: NationalStop | undefined,
): Generator<NationalRow> {
  for (const bucket of buckets) {
    for (const slot of slots) {
      const value = bucket[slot];
      if (value !== undefined) yield { row: { $case: "entry", value } };
    }
  }
  for (const value of others) yield { row: { $case: "entry", value } };
  for (const value of protectedNumbers) yield { row: { $case: "protectedNumber", value } };
  if (stop !== undefined) yield { row: { $case: "stop", value: stop } };
}

/** Of nearly all decisions; one array for them all, which nobody changes. */
const nothingMissing: string[] = [];
