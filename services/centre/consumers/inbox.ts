import { StreamGap, follow, type StoredMessage } from "#platform/follow.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { CentreDatabase, CentreTransaction } from "../store/schema.ts";
import { inTransaction, throughOutages } from "../store/transaction.ts";

/** A stream whose messages change the database. */
export interface InboxSource {
  /** Name without the epoch, as the watermark is kept. */
  readonly name: string;
  readonly epoch: number;
  /** Name of the stream. */
  readonly stream: string;
  /** Applies one message inside the transaction that moves the watermark. */
  readonly apply: (transaction: CentreTransaction, message: StoredMessage) => Promise<void>;
  /** Called after the commit. */
  readonly applied: (message: StoredMessage) => void;
}

/** Another process has applied what this one was applying. */
class WatermarkMoved extends Error {
  override readonly name = "WatermarkMoved";
}

/**
 * Applies a stream to the database, each message exactly once: its effect and
 * the watermark are one transaction. Runs until the signal.
 */
export async function applyStream(
  connection: NatsConnection,
  database: CentreDatabase,
  source: InboxSource,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  await throughOutages(source.name, log, signal, async () => {
    let last = await readWatermark(database, source);
    try {
      for await (const message of follow(connection, source.stream, last, signal)) {
        await inTransaction(database, async (transaction) => {
          // First, so that of two processes only one applies the message.
          await moveWatermark(transaction, source, last, message.sequence);
          await source.apply(transaction, message);
        });
        last = message.sequence;
        source.applied(message);
      }
    } catch (error) {
      if (error instanceof WatermarkMoved) {
        log.warn({ part: source.name, reason: error.message }, "another process reads this stream too");
        return;
      }
      if (!(error instanceof StreamGap)) throw error;
      // The copy was moved to a snapshot while this service was away: what lies between is in no stream here.
      log.error(
        { stream: source.stream, expected: error.expected, found: error.found },
        "messages were missed",
      );
      await inTransaction(database, (transaction) =>
        moveWatermark(transaction, source, error.expected - 1, error.found - 1),
      );
    }
  });
}

/** Makes the row where it is missing: moving it is then always an update. */
async function readWatermark(database: CentreDatabase, source: InboxSource): Promise<number> {
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
  source: InboxSource,
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
