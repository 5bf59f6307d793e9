import { Refusal } from "#domain/refusal.ts";
import { lastSequenceOf } from "#platform/streams.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import type { OverlayPart } from "#proto/qalqan/centre/v1/centre.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Centre } from "../centre.ts";
import { countOverlayDirectives, readOverlayDirectives, readOverlayRest } from "../store/overlay.ts";

/**
 * What the overlay of this region is now, with the lane sequences that it is
 * true for.
 *
 * The order makes it true: first the ends of both lanes are read, then a
 * snapshot of the database is taken. An event is committed before it is
 * stored, so everything up to those ends is in the snapshot. What the snapshot
 * holds beyond them comes again by the lanes, and applying it again changes
 * nothing.
 *
 * @throws Refusal `forbidden` unless asked by this region's screening, `unavailable` while NATS is away
 */
export async function* getOverlay(centre: Centre, peer: string): AsyncGenerator<OverlayPart> {
  if (peer !== `screening.${centre.region}`) {
    throw new Refusal({
      code: "forbidden",
      field: "certificate",
      value: peer,
      message: "the overlay is for this region's screening",
      remedy: `use the certificate of screening.${centre.region}`,
    });
  }
  const sequences = await readLaneEnds(centre);
  const transaction = await centre.database.startTransaction().setIsolationLevel("repeatable read").execute();
  try {
    const nowMs = Date.now();
    const messages = await countOverlayDirectives(transaction, nowMs);
    const rest = await readOverlayRest(transaction, nowMs);
    const header = { regionEpoch: firstEpoch, ...sequences, parts: messages + rest.length };
    yield { part: { $case: "header", value: header } };
    for await (const body of readOverlayDirectives(transaction, nowMs)) yield partOf(body, nowMs);
    for (const body of rest) yield partOf(body, nowMs);
  } finally {
    await transaction.rollback().execute();
  }
}

function partOf(body: NonNullable<Event["body"]>, atMs: number): OverlayPart {
  return { part: { $case: "event", value: { outbox: 0, atMs, body } } };
}

async function readLaneEnds(centre: Centre): Promise<{ eventsSequence: number; urgentSequence: number }> {
  try {
    if (centre.nats === undefined) throw new Error("not connected yet");
    const manager = await centre.nats.jetstreamManager({ checkAPI: false, timeout: 2_000 });
    const [eventsSequence, urgentSequence] = await Promise.all([
      lastSequenceOf(manager, regionStream.lane("events", firstEpoch)),
      lastSequenceOf(manager, regionStream.lane("urgent", firstEpoch)),
    ]);
    return { eventsSequence, urgentSequence };
  } catch (error) {
    throw new Refusal({
      code: "unavailable",
      field: "",
      value: "",
      message: `the region's lanes cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "try again when the region's NATS answers",
    });
  }
}
