import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import {
  answeredPerFlushMax,
  bulkReceiptGapMs,
  counterFlushMs,
  lateMs,
  receiptDelayMs,
  receiptEveryMs,
  receiptGapMs,
} from "./config.ts";
import type { CallCounters } from "./domain/call-counters.ts";
import { receiptOf, type Replica } from "./domain/receipt.ts";
import type { Enforcement } from "./enforcement.ts";
import type { LaneWriter } from "./lane-writer.ts";

/**
 * Writes this replica's receipts and counters into EVENTS: one producer, one
 * message at a time. A receipt that is due goes first, so that it waits for
 * one flush at most.
 */
export class Reporter {
  readonly #enforcement: Enforcement;
  readonly #counters: CallCounters;
  readonly #pairs: { write(): Promise<void> };
  readonly #replica: Replica;
  readonly #log: Log;
  readonly #wake = new Wake();
  /** When something was applied that no receipt has told of (performance.now); undefined: nothing was. */
  #receiptWantedAtMs: number | undefined = 0;
  #receiptGapMs = receiptGapMs;
  #receiptAtMs = 0;
  /** When the oldest call that waits for a flush was answered; 0: none waits. */
  #countedAtMs = 0;
  #closing = false;
  #named = 0;
  /** Calls of the message that is on its way, and since when; 0: none is. */
  #flying = 0;
  #flyingSinceMs = 0;

  /** @param pairs written before the counters that name first calls of pairs */
  constructor(
    enforcement: Enforcement,
    counters: CallCounters,
    pairs: { write(): Promise<void> },
    replica: Replica,
    log: Log,
  ) {
    this.#enforcement = enforcement;
    this.#counters = counters;
    this.#pairs = pairs;
    this.#replica = replica;
    this.#log = log;
  }

  /**
   * Something was applied: a receipt tells of it after a moment, and once the last one is old enough.
   *
   * @param isBulk the capital waits for this receipt
   */
  wantReceipt(isBulk: boolean): void {
    const gapMs = isBulk ? bulkReceiptGapMs : receiptGapMs;
    if (this.#receiptWantedAtMs !== undefined && gapMs >= this.#receiptGapMs) return;
    this.#receiptWantedAtMs ??= performance.now();
    this.#receiptGapMs = gapMs;
    this.#wake.notify();
  }

  /** A call was counted. */
  wantFlush(): void {
    if (this.#countedAtMs === 0) {
      this.#countedAtMs = performance.now();
      this.#wake.notify();
    } else if (this.#counters.waitingCalls === answeredPerFlushMax) {
      this.#wake.notify();
    }
  }

  /** Counted calls that are not in EVENTS, once something has waited so long that a kill would lose more than a flush. */
  late(): number {
    const nowMs = performance.now();
    const since = [this.#flyingSinceMs, this.#countedAtMs].filter((atMs) => atMs > 0);
    const isLate = since.some((atMs) => nowMs - atMs > lateMs);
    return isLate ? this.#flying + this.#counters.waitingCalls : 0;
  }

  /** Counters go out at once, a last receipt says that this replica is not ready any more, and `run` ends. */
  close(): void {
    this.#closing = true;
    this.#wake.notify();
  }

  /**
   * Writes until closed, or until the signal gives up what is left.
   *
   * @throws ProducerReplaced when another process writes under this replica's name
   */
  async run(writer: LaneWriter, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Spans go by a clock that nobody sets: one set back would keep receipts from going out until it caught up.
      const nowMs = performance.now();
      if (nowMs >= this.#receiptDueMs()) await this.#write(writer, this.#receipt(), signal);
      else if (nowMs >= this.#flushDueMs()) await this.#flush(writer, nowMs, signal);
      else if (this.#closing) break;
      else await this.#wake.wait(Math.min(this.#receiptDueMs(), this.#flushDueMs()) - nowMs, signal);
    }
    await this.#write(writer, this.#receipt(), signal);
  }

  #receiptDueMs(): number {
    // At the end one receipt comes after everything else.
    if (this.#closing) return Number.POSITIVE_INFINITY;
    if (this.#receiptWantedAtMs === undefined) return this.#receiptAtMs + receiptEveryMs;
    return Math.max(this.#receiptAtMs + this.#receiptGapMs, this.#receiptWantedAtMs + receiptDelayMs);
  }

  #flushDueMs(): number {
    if (this.#counters.isEmpty) return Number.POSITIVE_INFINITY;
    if (this.#closing || this.#counters.waitingCalls >= answeredPerFlushMax) return 0;
    return this.#countedAtMs + counterFlushMs;
  }

  async #flush(writer: LaneWriter, nowMs: number, signal: AbortSignal): Promise<void> {
    const value = this.#counters.take(Date.now());
    this.#countedAtMs = this.#counters.isEmpty ? 0 : nowMs;
    await this.#pairs.write();
    await this.#write(writer, { $case: "counters", value }, signal);
    if (this.#counters.droppedCalls > this.#named) {
      this.#named = this.#counters.droppedCalls;
      this.#log.error(
        { event: "answered-calls-dropped", count: this.#named },
        "EVENTS was away for too long",
      );
    }
  }

  #receipt(): Event["body"] {
    this.#receiptWantedAtMs = undefined;
    this.#receiptGapMs = receiptGapMs;
    this.#receiptAtMs = performance.now();
    const value = receiptOf(this.#replica, this.#enforcement, Date.now());
    return { $case: "receipt", value: { ...value, ready: value.ready && !this.#closing } };
  }

  async #write(writer: LaneWriter, body: Event["body"], signal: AbortSignal): Promise<void> {
    this.#flying = body?.$case === "counters" ? body.value.calls.length : 0;
    this.#flyingSinceMs = performance.now();
    try {
      await writer.append({ atMs: Date.now(), body }, signal);
    } catch (error) {
      const count = this.#flying + this.#counters.waitingCalls;
      this.#log.error({ event: "counted-calls-lost", count, reason: String(error) }, "not written");
      throw error;
    }
    [this.#flying, this.#flyingSinceMs] = [0, 0];
  }
}
