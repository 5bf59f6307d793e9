import { SetDigest } from "#domain/digest.ts";
import type { Seal } from "#domain/seal.ts";
import { sealMessage } from "#platform/seal-message.ts";
import {
  NationalBatch,
  type Decision,
  type IntelligenceShared,
  type IntelligenceWithdrawn,
  type NationalRow,
} from "#proto/qalqan/events/v1/events.ts";

/** One message of NATIONAL has at most so many rows of the table … */
export const batchRowsMax = 1_000;
/** … and so many decisions; a target with more is gone on with in the next message. */
export const batchDecisionsMax = 4_000;
/** … and stays below the largest payload of a NATS server (1 MiB). */
const batchBytesMax = 900_000;

/** Bytes around the texts of a row and of a decision; an upper estimate. */
const rowOverheadBytes = 80;
const decisionOverheadBytes = 24;

/** A message of NATIONAL as it is kept and appended. */
export interface FinishedBatch {
  readonly sequence: number;
  readonly atMs: number;
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
  /** Rows of the table that it changes. */
  readonly rows: number;
}

/** The next message of NATIONAL while it is put together. */
export class NationalBatchDraft {
  readonly sequence: number;
  readonly decisions: Decision[] = [];
  readonly #rows: NationalRow[] = [];
  readonly #digest: SetDigest;
  readonly #revokedBatches: string[] = [];
  readonly #intelligence: IntelligenceShared[] = [];
  readonly #withdrawn: IntelligenceWithdrawn[] = [];
  #seal: Seal | undefined;
  #bytes = 0;

  /** @param digest of the table as the message before this one leaves it */
  constructor(sequence: number, digest: Uint8Array) {
    this.sequence = sequence;
    this.#digest = SetDigest.from(digest);
  }

  get isEmpty(): boolean {
    const parts = [this.#rows, this.decisions, this.#revokedBatches, this.#intelligence, this.#withdrawn];
    return this.#seal === undefined && parts.every((part) => part.length === 0);
  }

  /** Whether one more target may go into this message. */
  get hasRoom(): boolean {
    const rows = this.#rows.length < batchRowsMax;
    return rows && this.decisions.length < batchDecisionsMax && this.#bytes < batchBytesMax;
  }

  /** Decisions that still fit; at least one, so that every message makes progress. */
  get decisionsLeft(): number {
    const byCount = batchDecisionsMax - this.decisions.length;
    const byBytes = Math.floor((batchBytesMax - this.#bytes) / (decisionOverheadBytes + 120));
    return Math.max(1, Math.min(byCount, byBytes));
  }

  /**
   * @param row the change
   * @param before canonical text of the row as it was, undefined: there was none
   * @param after canonical text of the row as it is from now on, undefined: it ends
   */
  addRow(row: NationalRow, before: string | undefined, after: string | undefined): void {
    this.#rows.push(row);
    if (before !== undefined) this.#digest.remove(before);
    if (after !== undefined) this.#digest.add(after);
    this.#bytes += rowOverheadBytes + (after ?? before ?? "").length;
  }

  addDecision(decision: Decision): void {
    this.decisions.push(decision);
    const texts = decision.directive.length + decision.region.length + decision.reason.length;
    this.#bytes += decisionOverheadBytes + texts + decision.missing.join(" ").length;
  }

  addRevokedBatch(batch: string): void {
    this.#revokedBatches.push(batch);
    this.#bytes += batch.length;
  }

  /** @param bytes its size, encoded */
  addIntelligence(piece: IntelligenceShared, bytes: number): void {
    this.#intelligence.push(piece);
    this.#bytes += bytes;
  }

  addWithdrawn(piece: IntelligenceWithdrawn): void {
    this.#withdrawn.push(piece);
    this.#bytes += 100;
  }

  /** Only into a message that has nothing else. */
  addSeal(seal: Seal): void {
    this.#seal = seal;
  }

  finish(atMs: number): FinishedBatch {
    const digest = this.#digest.value();
    const bytes = NationalBatch.encode({
      sequence: this.sequence,
      atMs,
      rows: this.#rows,
      decisions: this.decisions,
      digestAfter: Buffer.from(digest),
      intelligence: this.#intelligence,
      intelligenceWithdrawn: this.#withdrawn,
      revokedBatches: this.#revokedBatches,
      seal: this.#seal === undefined ? undefined : sealMessage(this.#seal),
    }).finish();
    return { sequence: this.sequence, atMs, digest, bytes, rows: this.#rows.length };
  }
}
