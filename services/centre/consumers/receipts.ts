import { follow } from "#platform/follow.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { pause } from "#platform/lifecycle.ts";
import { lastSequenceOf } from "#platform/streams.ts";
import { regionStream, regionSubject } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { recoverWaitMs } from "../config.ts";
import type { EnforcementLedger } from "../ledger.ts";

/** How far back receipts are read at start: they are cumulative, and a replica sends one every 5 s. */
const backMessages = 2_000;

/**
 * Receipts of this region's own screening, out of its own EVENTS: so the own
 * line appears also when the region is cut off. Receipts are cumulative and
 * applying one again changes nothing, so no watermark is kept.
 */
export async function readReceipts(
  connection: NatsConnection,
  region: string,
  epoch: number,
  ledger: EnforcementLedger,
  signal: AbortSignal,
): Promise<void> {
  const stream = regionStream.lane("events", epoch);
  const end = await endOf(connection, stream, signal);
  const anyReceipt = regionSubject.lane("events", epoch, "*", "receipt");
  for await (const message of follow(
    connection,
    stream,
    Math.max(0, end - backMessages),
    signal,
    anyReceipt,
  )) {
    const { body } = Event.decode(message.data);
    if (body?.$case === "receipt" && body.value.region === region)
      ledger.apply(body.value, message.storedAtMs);
  }
}

/** Last sequence of a stream; waits until the stream is there. */
async function endOf(connection: NatsConnection, stream: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      return await lastSequenceOf(manager, stream);
    } catch (error) {
      if (!(await pause(recoverWaitMs, signal))) throw error;
    }
  }
}
