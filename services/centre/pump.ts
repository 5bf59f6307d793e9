import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { follow } from "#platform/follow.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer, ProducerReplaced } from "#platform/producer.ts";
import { firstEpoch, regionStream, regionSubject, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { producerName, pumpPollMs } from "./config.ts";
import type { EnforcementLedger } from "./ledger.ts";
import { readOutbox, recordSequences, withOutboxNumber } from "./store/outbox.ts";
import type { CentreDatabase } from "./store/schema.ts";
import { throughOutages } from "./store/transaction.ts";

const recordRowsMax = 100;
const recordEveryMs = 200;
/** How often it is looked whether the lane takes what it is given (ms). */
const troubleLookMs = 2_000;

/** Where an outbox row is in its lane. */
interface StoredRow {
  readonly number: number;
  readonly sequence: number;
}

/** The stream holds events of this centre that its database does not know: one of the two came from a backup. */
export class OutboxBehindStream extends Error {
  override readonly name = "OutboxBehindStream";
}

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

  constructor(database: CentreDatabase, lane: Lane, ledger: EnforcementLedger, log: Log) {
    this.#database = database;
    this.#lane = lane;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** Something was committed to this lane's outbox. */
  wake(): void {
    this.#wake.notify();
  }

  /** Runs until the signal, through outages of the database and of the server. */
  async run(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    await throughOutages(`outbox ${this.#lane}`, this.#log, signal, async () => {
      const producer = await LaneProducer.open(connection, this.#lane, firstEpoch, producerName, signal);
      const attempt = new AbortController();
      const ends = AbortSignal.any([signal, attempt.signal]);
      const lastStored = producer.lastOutbox;
      // Side by side: a stop switch does not wait until it is noted where older rows are.
      const parts = [
        this.#carryOn(producer, ends),
        this.#recordUnrecorded(connection, lastStored, ends),
        this.#nameTrouble(producer, ends),
      ];
      try {
        await Promise.all(parts);
      } catch (error) {
        if (!(error instanceof ProducerReplaced)) throw error;
        // Another process carries the same rows: each is stored once whoever does it.
        this.#log.warn({ lane: this.#lane, reason: error.message }, "another process carries this outbox");
      } finally {
        attempt.abort();
        await Promise.allSettled(parts);
      }
    });
  }

  /** Carries rows as they are committed, and notes where they were stored. */
  async #carryOn(producer: LaneProducer, signal: AbortSignal): Promise<void> {
    await this.#checkOutbox(producer.lastOutbox);
    let recordedAtMs = Date.now();
    let stored: StoredRow[] = [];
    while (!signal.aborted) {
      const carried = await this.#carry(producer, signal);
      stored.push(...carried);
      // Noting where rows were stored costs a commit each time, and can wait: a new start finds it in the stream.
      if (
        stored.length >= recordRowsMax ||
        (stored.length > 0 && Date.now() - recordedAtMs >= recordEveryMs)
      ) {
        await recordSequences(this.#database, this.#lane, stored);
        stored = [];
        recordedAtMs = Date.now();
      }
      if (carried.length === 0) await this.#wake.wait(stored.length > 0 ? recordEveryMs : pumpPollMs, signal);
    }
  }

  /** A stream that takes nothing (it is full, or away) is named in the log: people wait for what is in it. */
  async #nameTrouble(producer: LaneProducer, signal: AbortSignal): Promise<void> {
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

  /** Stores what waits, and says where. */
  async #carry(producer: LaneProducer, signal: AbortSignal): Promise<StoredRow[]> {
    const rows = await readOutbox(this.#database, this.#lane, producer.lastOutbox);
    const stored: StoredRow[] = [];
    for (const { number, type, bytes } of rows) {
      const sequence = await producer.appendBytes(type, number, withOutboxNumber(bytes, number), signal);
      stored.push({ number, sequence });
      this.#ledger.await({ stream: this.#lane === "urgent" ? "URGENT" : "EVENTS", sequence, outbox: number });
    }
    return stored;
  }

  async #checkOutbox(lastStored: number): Promise<void> {
    const counter = await this.#database
      .selectFrom("outbox_counters")
      .select("last")
      .where("lane", "=", this.#lane)
      .executeTakeFirstOrThrow();
    if (counter.last < lastStored) {
      throw new OutboxBehindStream(
        `${this.#lane}: the stream holds this centre's outbox ${lastStored}, the database ends at ${counter.last}`,
      );
    }
  }

  /** What was stored when this process or its database ended before it was noted. */
  async #recordUnrecorded(
    connection: NatsConnection,
    lastStored: number,
    signal: AbortSignal,
  ): Promise<void> {
    const unrecorded = await this.#database
      .selectFrom("outbox")
      .select("number")
      .where("lane", "=", this.#lane)
      .where("number", "<=", lastStored)
      .where("sequence", "is", null)
      .orderBy("number")
      .limit(1)
      .executeTakeFirst();
    if (unrecorded === undefined) return;
    const before = await this.#database
      .selectFrom("outbox")
      .select((build) => build.fn.max("sequence").as("sequence"))
      .where("lane", "=", this.#lane)
      .where("number", "<", unrecorded.number)
      .executeTakeFirst();
    const own = regionSubject.laneOfProducer(this.#lane, firstEpoch, producerName);
    const stream = regionStream.lane(this.#lane, firstEpoch);
    let found: StoredRow[] = [];
    for await (const message of follow(connection, stream, before?.sequence ?? 0, signal, own)) {
      const number = Event.decode(message.data).outbox;
      found.push({ number, sequence: message.sequence });
      const isLast = number >= lastStored;
      if (isLast || found.length >= recordRowsMax) {
        await recordSequences(this.#database, this.#lane, found);
        found = [];
      }
      if (isLast) break;
    }
    await this.#ledger.load();
  }
}
