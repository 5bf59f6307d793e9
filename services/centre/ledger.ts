import { ReceiptBook, type ReceiptLike, type ReceiptStream } from "#domain/receipts.ts";
import { Wake } from "#platform/lifecycle.ts";
import { sql } from "#platform/database.ts";
import { firstEpoch } from "#proto/names.ts";
import type { Changes } from "./changes.ts";
import type { CentreDatabase } from "./store/schema.ts";

/** A message that this region's screening is to apply. */
export interface Awaited {
  readonly stream: ReceiptStream;
  /** Epoch of the lane, or of the capital's streams. */
  readonly epoch: number;
  readonly sequence: number;
  /** Number of the outbox row that it was; none for NATIONAL. */
  readonly outbox?: number;
}

/** A reached time is looked for at least this often (ms): a replica may become ready without a message. */
const lookEveryMs = 1_000;

/**
 * The own region's line of every receipt: since when all ready replicas here
 * have applied the messages that this centre caused or that decide about its
 * directives. Written down when first reached, so that it survives restarts
 * and replicas that are added later.
 */
export class EnforcementLedger {
  readonly #database: CentreDatabase;
  readonly #changes: Changes;
  #book = new ReceiptBook();
  readonly #wake = new Wake();
  #awaited = new Map<string, Awaited>();

  constructor(database: CentreDatabase, changes: Changes) {
    this.#database = database;
    this.#changes = changes;
  }

  /** Takes in a receipt of a replica of this region, as old as the stream says it is. */
  apply(receipt: ReceiptLike, storedAtMs: number): void {
    this.#book.apply(receipt, Math.min(storedAtMs, Date.now()));
    if (this.#awaited.size > 0) this.#wake.notify();
  }

  /** From now on this message is waited for; receipts may have spoken of it already. */
  await(message: Awaited): void {
    this.#awaited.set(`${message.stream} ${message.epoch} ${message.sequence}`, message);
    this.#wake.notify();
  }

  /**
   * Reads what is waited for. What was known before says nothing any more: rows
   * may stand elsewhere, and a lane that came back otherwise has the sequences of
   * which earlier receipts speak for other events. Receipts are read again.
   */
  async load(): Promise<void> {
    this.#awaited.clear();
    this.#book = new ReceiptBook();
    const rows = await this.#database
      .selectFrom("outbox")
      .select(["lane", "number", "epoch", "sequence"])
      .where("enforced_at_ms", "is", null)
      .where("sequence", "is not", null)
      .execute();
    for (const { lane, number, epoch, sequence } of rows) {
      if (sequence !== null) {
        this.await({ stream: lane === "urgent" ? "URGENT" : "EVENTS", epoch, sequence, outbox: number });
      }
    }
    const marks = await this.#database
      .selectFrom("national_marks")
      .select("sequence")
      .where("enforced_at_ms", "is", null)
      .execute();
    for (const { sequence } of marks) this.await({ stream: "NATIONAL", epoch: firstEpoch, sequence });
  }

  /** Writes down what has been reached, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#settle();
      await this.#wake.wait(lookEveryMs, signal);
    }
  }

  async #settle(): Promise<void> {
    const reached = this.#reached(Date.now());
    if (reached.length === 0) return;
    const rows = reached.filter(({ message }) => message.outbox !== undefined);
    if (rows.length > 0) {
      await sql`
        update outbox set epoch = reached.epoch, sequence = reached.sequence, enforced_at_ms = reached.at_ms
        from unnest(
          ${rows.map(({ message }) => (message.stream === "URGENT" ? "urgent" : "events"))}::text[],
          ${rows.map(({ message }) => message.outbox)}::bigint[],
          ${rows.map(({ message }) => message.epoch)}::integer[],
          ${rows.map(({ message }) => message.sequence)}::bigint[],
          ${rows.map(({ atMs }) => atMs)}::bigint[]) as reached (lane, number, epoch, sequence, at_ms)
        where outbox.lane = reached.lane and outbox.number = reached.number
          and outbox.enforced_at_ms is null`.execute(this.#database);
    }
    const marks = reached.filter(({ message }) => message.stream === "NATIONAL");
    if (marks.length > 0) {
      await sql`
        update national_marks set enforced_at_ms = reached.at_ms
        from unnest(
          ${marks.map(({ message }) => message.sequence)}::bigint[],
          ${marks.map(({ atMs }) => atMs)}::bigint[]) as reached (sequence, at_ms)
        where national_marks.sequence = reached.sequence
          and national_marks.enforced_at_ms is null`.execute(this.#database);
    }
    for (const { key } of reached) this.#awaited.delete(key);
    this.#changes.notify();
  }

  #reached(nowMs: number): { key: string; message: Awaited; atMs: number }[] {
    const reached: { key: string; message: Awaited; atMs: number }[] = [];
    for (const [key, message] of this.#awaited) {
      const atMs = this.#book.enforcedAt(message.stream, message.sequence, nowMs, message.epoch);
      if (atMs !== undefined) reached.push({ key, message, atMs: Math.round(atMs) });
    }
    return reached;
  }
}
