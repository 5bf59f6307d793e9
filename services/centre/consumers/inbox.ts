import { sql } from "#platform/database.ts";
import { StreamGap, follow } from "#platform/follow.ts";
import { watchForGap } from "#platform/gap-watch.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { SnapshotDamaged } from "#platform/snapshots.ts";
import { recoverWaitMs } from "../config.ts";
import type { CentreDatabase, CentreTransaction } from "../store/schema.ts";
import { inTransaction } from "../store/transaction.ts";
import { gather } from "./gather.ts";

/** A stream whose messages change the database. @typeParam Batch what a message holds */
export interface InboxSource<Batch> {
  /** Name without the epoch, as the watermark is kept. */
  readonly name: string;
  readonly epoch: number;
  /** Name of the stream. */
  readonly stream: string;
  readonly decode: (data: Uint8Array) => Batch;
  /** Whether nobody here would miss it for a second: then it is applied together with others. */
  readonly mayWait: (batch: Batch) => boolean;
  /**
   * Applies one message inside the transaction that moves the watermark.
   *
   * @returns what is called after the commit
   */
  readonly apply: (transaction: CentreTransaction, batch: Batch, sequence: number) => Promise<() => void>;
  /** The state at a later message, where the stream does not reach back to the watermark; undefined: none is there yet. */
  readonly snapshot?: (connection: NatsConnection, after: number) => Promise<SnapshotEffect | undefined>;
}

type Watermarked = Pick<InboxSource<never>, "name" | "epoch">;

/** What a snapshot changes in the database. */
export interface SnapshotEffect {
  /** Last message of the stream that it covers. */
  readonly sequence: number;
  readonly apply: (transaction: CentreTransaction) => Promise<void>;
  /** Called after the commit. */
  readonly applied: () => void;
}

/**
 * What is applied in one transaction: a region hears of some hundred thousand
 * directives of others a day. All regions hear of one at once; each has a time
 * of its own for its transaction, about a second later.
 */
const gathered = { itemsMax: 64, waitMs: 700 + Math.random() * 600 } as const;

/** Another process has applied what this one was applying. */
class WatermarkMoved extends Error {
  override readonly name = "WatermarkMoved";
}

/**
 * Applies a stream to the database, each message exactly once: its effect and
 * the watermark are one transaction. Runs until the signal.
 *
 * A watermark that came from an older copy, together with the rest of its
 * database, is no harm: what is applied again says what is true from then on.
 */
export async function applyStream<Batch>(
  connection: NatsConnection,
  database: CentreDatabase,
  source: InboxSource<Batch>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let last = await readWatermark(database, source);
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    const watching = watchForGap(connection, source.stream, () => last, ends).finally(() => over.abort());
    try {
      const read = readStream(connection, source, last, ends);
      for await (const received of gather(read, ({ batch }) => source.mayWait(batch), gathered)) {
        const reached = received.at(-1)?.sequence ?? last;
        const applied = await inTransaction(database, async (transaction) => {
          // First, so that of two processes only one applies the messages.
          await Promise.all([letGoOfTheDisk(transaction), moveWatermark(transaction, source, last, reached)]);
          const after: (() => void)[] = [];
          for (const { batch, sequence } of received)
            after.push(await source.apply(transaction, batch, sequence));
          return after;
        });
        last = reached;
        for (const tell of applied) tell();
      }
      const gap = await watching;
      if (gap !== undefined) throw gap;
    } catch (error) {
      if (error instanceof WatermarkMoved) {
        log.warn({ part: source.name, reason: error.message }, "another process reads this stream too");
      } else if (error instanceof StreamGap) {
        // The copy was moved to a snapshot while this service was away.
        const { expected, found } = error;
        log.warn(
          { stream: source.stream, expected, found },
          "the copy does not reach back to what comes next",
        );
        await passGap(connection, database, source, error, log);
      } else {
        throw error;
      }
    } finally {
      over.abort();
    }
    await pause(recoverWaitMs, signal);
  }
}

async function* readStream<Batch>(
  connection: NatsConnection,
  { stream, decode }: InboxSource<Batch>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<{ readonly batch: Batch; readonly sequence: number }> {
  for await (const { data, sequence } of follow(connection, stream, after, signal))
    yield { batch: decode(data), sequence };
}

/** After a crash the same messages are read again: effect and watermark are lost together, or not at all. */
async function letGoOfTheDisk(transaction: CentreTransaction): Promise<void> {
  await sql`set local synchronous_commit = off`.execute(transaction);
}

/** Goes on after the region's snapshot, or soon tries again; a stream without snapshots goes on where it begins. */
async function passGap<Batch>(
  connection: NatsConnection,
  database: CentreDatabase,
  source: InboxSource<Batch>,
  { expected, found }: StreamGap,
  log: Log,
): Promise<void> {
  const after = expected - 1;
  if (source.snapshot === undefined) {
    await inTransaction(database, (transaction) => moveWatermark(transaction, source, after, found - 1));
    return;
  }
  const snapshot = await source.snapshot(connection, after);
  const isUsed = snapshot !== undefined && snapshot.sequence > after && snapshot.sequence + 1 >= found;
  if (!isUsed) return;
  try {
    await inTransaction(database, async (transaction) => {
      await moveWatermark(transaction, source, after, snapshot.sequence);
      await snapshot.apply(transaction);
    });
  } catch (error) {
    if (!(error instanceof SnapshotDamaged)) throw error;
    log.warn({ stream: source.stream, reason: error.message }, "the snapshot is being made anew");
    return;
  }
  snapshot.applied();
  log.info({ stream: source.stream, from: after, to: snapshot.sequence }, "went on from the snapshot");
}

/** Makes the row where it is missing: moving it is then always an update. */
async function readWatermark(database: CentreDatabase, source: Watermarked): Promise<number> {
  await database
    .insertInto("inbox")
    .values({ stream: source.name, epoch: source.epoch, sequence: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await database
    .selectFrom("inbox")
    .select("sequence")
    .where("stream", "=", source.name)
    .where("epoch", "=", source.epoch)
    .executeTakeFirst();
  return row?.sequence ?? 0;
}

/** @throws WatermarkMoved when it is not where this process left it */
async function moveWatermark(
  transaction: CentreTransaction,
  source: Watermarked,
  from: number,
  to: number,
): Promise<void> {
  const { name: stream, epoch } = source;
  const { numUpdatedRows } = await transaction
    .updateTable("inbox")
    .set({ sequence: to })
    .where("stream", "=", stream)
    .where("epoch", "=", epoch)
    .where("sequence", "=", from)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n)
    throw new WatermarkMoved(`the watermark of ${stream} is not at ${from} any more`);
}
