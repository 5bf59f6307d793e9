import type { Alarms } from "#platform/alarms.ts";
import { StreamUnavailable } from "#platform/batch-get.ts";
import { sql } from "#platform/database.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { lanes, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { agreementsChecked, behindShownMs, noteWaitMs, refillLookMs, refillWaitMs } from "./config.ts";
import { liftRevisions } from "./domain/lift.ts";
import { planReconcile, type LaneEntry, type ReconcilePlan } from "./domain/reconcile.ts";
import { LaneHistory, newestOwn } from "./lane-history.ts";
import { runOf, type Standing } from "./standing.ts";
import { writeAudit, type AuditEntry } from "./store/audit.ts";
import { recordSequences } from "./store/outbox.ts";
import {
  hasLeftBehind,
  lacksOne,
  liftRows,
  lockNumbers,
  moveWaiting,
  readEntries,
  readLacking,
  readRecorded,
  readTrimmed,
  readWaiting,
  type RecordedRow,
} from "./store/reconcile.ts";
import type { CentreDatabase, CentreTransaction } from "./store/schema.ts";
import { takeBack, type TakenBack } from "./store/take-back.ts";
import { inTransaction } from "./store/transaction.ts";

/** Messages that are asked for side by side. */
const fetchedAtOnce = 64;

/** What the lane holds that is to be compared with the outbox. */
interface LaneReading {
  readonly lane: Lane;
  /** All rows up to this number are in the lane, and all events up to their places in the outbox. */
  readonly agreed: number;
  readonly messages: readonly LaneEntry[];
  /** The number after which the lane takes the next. */
  readonly laneNumber: number;
  /** Those of the messages that the outbox lacks, by their content, without the outbox number. */
  readonly lacking: ReadonlyMap<string, Uint8Array>;
}

/** What was done to one lane. */
interface Recovered {
  readonly lane: Lane;
  readonly takenBack: number;
  /** Rows that are sent under another number, or again. */
  readonly sentAnew: number;
}

/**
 * Brings outbox and lanes together when one of the two came from an older copy
 * (domain/reconcile.ts decides): events that the database lacks are written
 * back into its tables, own events that the lane lacks are sent. Both lanes are
 * one transaction, with a line in the audit.
 */
export class Recovery {
  readonly #database: CentreDatabase;
  readonly #region: string;
  readonly #standing: Standing;
  readonly #alarms: Alarms;
  readonly #log: Log;

  constructor(database: CentreDatabase, region: string, standing: Standing, alarms: Alarms, log: Log) {
    this.#database = database;
    this.#region = region;
    this.#standing = standing;
    this.#alarms = alarms;
    this.#log = log;
  }

  /**
   * Call it before anything is sent in an epoch, and after every loss of the
   * database or the server.
   *
   * @param laneNumbers the number after which each lane takes the next
   * @returns the run of PostgreSQL ({@link runOf}) whose database agrees with the lanes now
   * @throws RestartedMeanwhile
   */
  async reconcile(
    connection: NatsConnection,
    epoch: number,
    laneNumbers: Readonly<Record<Lane, number>>,
    signal: AbortSignal,
  ): Promise<string> {
    const run = await runOf(this.#database);
    await this.#awaitRefill(connection, epoch, signal);
    const readings: LaneReading[] = [];
    for (const lane of lanes) {
      readings.push(await this.#read(connection, lane, epoch, laneNumbers[lane], signal));
    }
    const recovered = await inTransaction(this.#database, async (transaction) => {
      await requireRun(transaction, run);
      return this.#carryOut(transaction, readings);
    });
    this.#standing.tookBack(run);
    for (const each of recovered) this.#tell(each);
    return run;
  }

  /** @throws RestartedMeanwhile when PostgreSQL was started again since that run: with what files, nobody knows */
  async requireRun(run: string): Promise<void> {
    await requireRun(this.#database, run);
  }

  /** Whether outbox and lane are still as a reconciliation leaves them, as far as their ends show. */
  async stillAgrees(
    connection: NatsConnection,
    lane: Lane,
    epoch: number,
    laneNumber: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const recorded = await readRecorded(this.#database, lane, 1);
    const history = await LaneHistory.open(connection, lane, epoch);
    if (!(await areThere(history, recorded))) return false;
    // A lane may have been filled up from the hub since, with what this database never had.
    if (await lacksOne(this.#database, lane, await newestOwn(connection, lane, epoch))) return false;
    const isBehind = () => hasLeftBehind(this.#database, lane, laneNumber);
    return !(await isBehind()) || !(await pause(noteWaitMs, signal)) || !(await isBehind());
  }

  /**
   * A lane that ends before what was stored in it lost its end: replication
   * fills it up from the hub, or opens another epoch. Cut off, nobody can, and
   * after a while what is missing is sent again.
   */
  async #awaitRefill(connection: NatsConnection, epoch: number, signal: AbortSignal): Promise<void> {
    const endMs = Date.now() + refillWaitMs;
    for (const lane of lanes) {
      const [newest] = await readRecorded(this.#database, lane, 1);
      while (newest !== undefined && newest.epoch === epoch) {
        const end = (await LaneHistory.open(connection, lane, epoch)).kept.at(-1)?.last ?? 0;
        if (end >= newest.sequence || Date.now() >= endMs) break;
        this.#log.warn({ event: "lane-behind", lane, end, stored: newest.sequence }, "waiting for its end");
        if (!(await pause(refillLookMs, signal))) signal.throwIfAborted();
      }
    }
  }

  async #read(
    connection: NatsConnection,
    lane: Lane,
    epoch: number,
    laneNumber: number,
    signal: AbortSignal,
  ): Promise<LaneReading> {
    const history = await LaneHistory.open(connection, lane, epoch);
    const recorded = await readRecorded(this.#database, lane, agreementsChecked);
    const [newest] = recorded;
    // Histories can agree again by chance at one place; not at so many in a row.
    if (newest !== undefined && (await areThere(history, recorded))) {
      const messages = await history.from(newest.epoch, newest.sequence, signal);
      const read = new Set(messages.map(({ content }) => content));
      const before = (await newestOwn(connection, lane, epoch)).filter(({ content }) => !read.has(content));
      // What was fed into the lane between rows that are noted is found by reading all of it.
      if (!(await lacksOne(this.#database, lane, before))) {
        const lacking = await this.#fetch(lane, history, messages, signal);
        return { lane, agreed: newest.number, messages, laneNumber, lacking };
      }
    }
    const agreed = await readTrimmed(this.#database, lane, history.kept);
    const messages = await history.from(0, 0, signal);
    const lacking = await this.#fetch(lane, history, messages, signal);
    return { lane, agreed, messages, laneNumber, lacking };
  }

  /** Before commands are kept from committing: reading some hundred thousand takes minutes. */
  async #fetch(
    lane: Lane,
    history: LaneHistory,
    messages: readonly LaneEntry[],
    signal: AbortSignal,
  ): Promise<Map<string, Uint8Array>> {
    const lacking = await readLacking(this.#database, lane, messages);
    const bytes = new Map<string, Uint8Array>();
    for (let from = 0; from < lacking.length; from += fetchedAtOnce) {
      signal.throwIfAborted();
      const found = await Promise.all(
        lacking.slice(from, from + fetchedAtOnce).map(({ epoch, sequence }) => history.at(epoch, sequence)),
      );
      for (const own of found) if (own !== undefined) bytes.set(own.entry.content, own.rest);
    }
    return bytes;
  }

  async #carryOut(
    transaction: CentreTransaction,
    readings: readonly LaneReading[],
  ): Promise<readonly Recovered[]> {
    // No command commits from here on: the numbers stay as they are read.
    const counters = await lockNumbers(transaction);
    const recovered: Recovered[] = [];
    const audited: Record<string, unknown> = {};
    let taken: TakenBack[] = [];
    for (const reading of readings) {
      const { lane, agreed, messages, laneNumber } = reading;
      const rows = await readEntries(transaction, lane, agreed, messages);
      const plan = planReconcile({ agreed, rows, messages, laneNumber, counter: counters[lane] });
      const back = plan.takeBack.map((each) => takenBackOf(reading, each));
      const sentAnew = await prepare(transaction, lane, plan, back);
      // Members of a batch come by the bulk lane, what is decided about the batch by the other.
      taken = [...back, ...taken];
      if (back.length === 0 && sentAnew === 0) continue;
      recovered.push({ lane, takenBack: back.length, sentAnew });
      audited[lane] = { takenBack: back.map(({ number }) => number), sentAnew, counter: plan.counter };
    }
    await takeBack(transaction, this.#region, taken);
    if (recovered.length > 0) await writeAudit(transaction, auditOf(audited));
    return recovered;
  }

  #tell({ lane, takenBack, sentAnew }: Recovered): void {
    const detail = `the database and the region's lane did not hold the same, since one of them came from an older copy: ${takenBack} events were taken back into the database, ${sentAnew} are sent anew`;
    this.#log.error({ event: "recovered", lane, takenBack, sentAnew }, "outbox and lane are one again");
    this.#alarms.raise("database-behind", lane, detail, behindShownMs);
  }
}

/** PostgreSQL was started again: what was read from it may not be what it holds now. */
export class RestartedMeanwhile extends Error {
  override readonly name = "RestartedMeanwhile";
}

async function requireRun(database: CentreDatabase | CentreTransaction, run: string): Promise<void> {
  if ((await runOf(database)) !== run) throw new RestartedMeanwhile("PostgreSQL was started again");
}

/** Whether the lane holds these rows where they were stored; a place that it no longer keeps says nothing. */
async function areThere(history: LaneHistory, rows: readonly RecordedRow[]): Promise<boolean> {
  const found = await Promise.all(
    rows.map(async ({ epoch, sequence, content }) => {
      if (history.isTrimmed(epoch, sequence)) return true;
      return (await history.at(epoch, sequence))?.entry.content === content;
    }),
  );
  return found.every(Boolean);
}

/**
 * Rows that the lane holds get their places; those that wait get their
 * numbers, and revisions that the lane does not hold.
 *
 * @returns how many are sent under another number, or again
 */
async function prepare(
  transaction: CentreTransaction,
  lane: Lane,
  plan: ReconcilePlan,
  taken: readonly TakenBack[],
): Promise<number> {
  const stored = plan.stored.map(({ number, message: { epoch, sequence } }) => ({ number, epoch, sequence }));
  await recordSequences(transaction, lane, stored);
  const sentAnew = await moveWaiting(transaction, lane, plan.waiting);
  // Nothing is written where nothing changed: a disk that is full does not keep the lanes from going on.
  await sql`update outbox_counters set last = ${plan.counter} where lane = ${lane} and last < ${plan.counter}`.execute(
    transaction,
  );
  if (taken.length > 0 && plan.waiting.length > 0) {
    const waiting = await readWaiting(
      transaction,
      lane,
      plan.waiting.map(({ to }) => to),
    );
    const lifted = liftRevisions(
      waiting.map(({ event }) => event.body),
      taken.map(({ event }) => event.body),
    );
    const rows = waiting.map(({ number, event }, index) => ({
      number,
      event: { ...event, body: lifted.events[index] },
    }));
    await liftRows(transaction, lane, rows, lifted.lifts);
  }
  return sentAnew;
}

/** @throws StreamUnavailable where it is not there any more, or the outbox had it a moment ago: all is compared anew */
function takenBackOf(
  { lane, lacking }: LaneReading,
  { message, number }: ReconcilePlan["takeBack"][number],
): TakenBack {
  const { epoch, sequence, content } = message;
  const bytes = lacking.get(content);
  if (bytes === undefined)
    throw new StreamUnavailable(`${lane} ${epoch}: message ${sequence} went away while it was read`);
  return { lane, number, epoch, sequence, event: Event.decode(bytes), bytes };
}

/** One line for both lanes; what each event was, its own row says. */
function auditOf(detail: AuditEntry["detail"]): AuditEntry {
  return { atMs: Date.now(), person: "", role: "centre", what: "recovered", subject: "outbox", detail };
}
