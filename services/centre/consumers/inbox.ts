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
          await source.apply(transaction, message);
          await writeWatermark(transaction, source, message.sequence);
        });
        last = message.sequence;
        source.applied(message);
      }
    } catch (error) {
      if (!(error instanceof StreamGap)) throw error;
      // The copy was moved to a snapshot while this service was away: what lies between is in no stream here.
      log.error(
        { stream: source.stream, expected: error.expected, found: error.found },
        "messages were missed",
      );
      await inTransaction(database, (transaction) => writeWatermark(transaction, source, error.found - 1));
    }
  });
}

async function readWatermark(database: CentreDatabase, source: InboxSource): Promise<number> {
  const row = await database
    .selectFrom("inbox")
    .select("sequence")
    .where("stream", "=", source.name)
    .where("epoch", "=", source.epoch)
    .executeTakeFirst();
  return row?.sequence ?? 0;
}

async function writeWatermark(
  transaction: CentreTransaction,
  source: InboxSource,
  sequence: number,
): Promise<void> {
  await transaction
    .insertInto("inbox")
    .values({ stream: source.name, epoch: source.epoch, sequence })
    .onConflict((conflict) => conflict.columns(["stream", "epoch"]).doUpdateSet({ sequence }))
    .execute();
}
