import { setImmediate as turn } from "node:timers/promises";
import type { Overlay } from "#domain/overlay.ts";
import { follow, StreamGap } from "#platform/follow.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { lanes, regionStream, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { bytesPerTurn } from "../config.ts";
import type { Enforcement } from "../enforcement.ts";

/** Last sequence of a lane that an overlay is true for. */
export function laneSequence(overlay: Overlay, lane: Lane): number {
  return lane === "events" ? overlay.eventsSequence : overlay.urgentSequence;
}

/**
 * Applies both lanes of the region to the overlay until the signal. Where a
 * lane no longer reaches back, the overlay is loaded whole, and both lanes go
 * on from the sequences that it is true for.
 */
export async function followLanes(
  connection: NatsConnection,
  enforcement: Enforcement,
  loadOverlay: () => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const attempt = new AbortController();
    const ends = AbortSignal.any([signal, attempt.signal]);
    const followed = lanes.map(async (lane) => {
      try {
        await followLane(connection, lane, enforcement, log, ends);
      } catch (error) {
        if (!(error instanceof StreamGap)) throw error;
        const { expected, found } = error;
        log.warn({ event: "lane-gap", lane, expected, found }, "the overlay is loaded anew");
      } finally {
        attempt.abort();
      }
    });
    await Promise.all(followed);
    if (!signal.aborted) await loadOverlay();
  }
}

async function followLane(
  connection: NatsConnection,
  lane: Lane,
  enforcement: Enforcement,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const stream = regionStream.lane(lane, enforcement.regionEpoch);
  const after = laneSequence(enforcement.overlay, lane);
  for await (const message of follow(connection, stream, after, signal)) {
    enforcement.applyEvent(lane, message, readEvent(message.data, message.sequence, lane, log));
    // The messages of an import are there together, and nothing that is awaited lets others in.
    if (message.data.length > bytesPerTurn) await turn();
  }
}

/** An event that cannot be read must not hold back those after it. */
function readEvent(data: Uint8Array, sequence: number, lane: Lane, log: Log): Event {
  try {
    return Event.decode(data);
  } catch (error) {
    log.error({ event: "event-unreadable", lane, sequence, err: error }, "an event cannot be read");
    return Event.create();
  }
}
