import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { LaneProducer } from "#platform/producer.ts";
import type { Lane } from "#proto/names.ts";
import { pumpPollMs } from "./config.ts";
import type { EnforcementLedger } from "./ledger.ts";
import {
  readOutbox,
  recordSequences,
  withOutboxNumber,
  type StoredRow,
  type WaitingRow,
} from "./store/outbox.ts";
import type { CentreDatabase } from "./store/schema.ts";

const recordRowsMax = 100;
const recordEveryMs = 200;
/** Rows that are kept until they are carried, so that one alone need not be read again. */
const handedRowsMax = 100;
/** Larger ones are bulk, and read. */
const handedBytesMax = 64 * 1024;
/** How often it is looked whether the lane takes what it is given (ms). */
const troubleLookMs = 2_000;

/**
 * Carries one lane's outbox into its stream, in order, each row once. Woken
 * after every commit; looks by itself once a second.
 */
export class OutboxPump {
  readonly #database: CentreDatabase;
  readonly #lane: Lane;
  readonly #ledger: EnforcementLedger;
  readonly #log: Log;
  readonly #wake = new Wake();
  /** Rows as their commit handed them over, by number. */
  readonly #handed = new Map<number, WaitingRow>();

  constructor(database: CentreDatabase, lane: Lane, ledger: EnforcementLedger, log: Log) {
    this.#database = database;
    this.#lane = lane;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** These rows were committed to this lane's outbox. What is not kept here is read from it. */
  committed(rows: readonly WaitingRow[]): void {
    for (const row of rows) {
      if (this.#handed.size >= handedRowsMax || row.bytes.length > handedBytesMax) break;
      this.#handed.set(row.number, row);
    }
    this.#wake.notify();
  }

  /**
   * Carries rows as they are committed, and notes where they were stored, until the signal.
   *
   * @param producer of an outbox that agrees with the lane (Recovery)
   * @throws ProducerReplaced, or what keeps the database from answering
   */
  async run(producer: LaneProducer, epoch: number, signal: AbortSignal): Promise<void> {
    // A recovery may have given other numbers since they were handed over.
    this.#handed.clear();
    let recordedAtMs = performance.now();
    let stored: StoredRow[] = [];
    while (!signal.aborted) {
      const carried = await this.#carry(producer, epoch, signal);
      stored.push(...carried);
      // Noting where rows were stored costs a commit each time, and can wait: a new start finds it in the stream.
      if (
        stored.length >= recordRowsMax ||
        (stored.length > 0 && performance.now() - recordedAtMs >= recordEveryMs)
      ) {
        await recordSequences(this.#database, this.#lane, stored);
        stored = [];
        recordedAtMs = performance.now();
      }
      if (carried.length === 0) await this.#wake.wait(stored.length > 0 ? recordEveryMs : pumpPollMs, signal);
    }
  }

  /** A stream that takes nothing (it is full, or away) is named in the log: people wait for what is in it. */
  async nameTrouble(producer: LaneProducer, signal: AbortSignal): Promise<void> {
    let named = "";
    while (await pause(troubleLookMs, signal)) {
      const { trouble } = producer;
      if (trouble === named) continue;
      named = trouble;
      if (trouble === "") this.#log.info({ lane: this.#lane }, "the lane takes events again");
      else
        this.#log.error(
          { event: "outbox-waits", lane: this.#lane, reason: trouble },
          "the lane takes nothing",
        );
    }
  }

  /** What was handed over and comes next, without a gap; it is not kept any longer. */
  #handedAfter(number: number): WaitingRow[] {
    const rows: WaitingRow[] = [];
    for (let row = this.#handed.get(number + 1); row !== undefined; row = this.#handed.get(row.number + 1))
      rows.push(row);
    const last = number + rows.length;
    for (const handed of this.#handed.keys()) if (handed <= last) this.#handed.delete(handed);
    return rows;
  }

  /** Stores what waits, and says where. */
  async #carry(producer: LaneProducer, epoch: number, signal: AbortSignal): Promise<StoredRow[]> {
    const handed = this.#handedAfter(producer.lastOutbox);
    const rows =
      handed.length > 0 ? handed : await readOutbox(this.#database, this.#lane, producer.lastOutbox);
    const sequences = await producer.appendAll(
      rows.map(({ number, type, bytes }) => ({
        type,
        outbox: number,
        bytes: withOutboxNumber(bytes, number),
      })),
      signal,
    );
    const stored = rows.flatMap(({ number }, index): StoredRow[] => {
      const sequence = sequences[index];
      return sequence === undefined ? [] : [{ number, epoch, sequence }];
    });
    const stream = this.#lane === "urgent" ? "URGENT" : "EVENTS";
    for (const { number, sequence } of stored)
      this.#ledger.await({ stream, epoch, sequence, outbox: number });
    return stored;
  }
}
