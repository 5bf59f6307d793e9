import { Refusal } from "#domain/refusal.ts";
import { streamRange } from "#platform/batch-get.ts";
import { regionStream, streamAsk, type Lane } from "#proto/names.ts";
import type { OverlayPart } from "#proto/qalqan/centre/v1/centre.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Centre } from "../centre.ts";
import { countOverlayDirectives, readOverlayDirectives, readOverlayRest } from "../store/overlay.ts";

const askWaitMs = 2_000;

/**
 * What the overlay of this region is now, with the lane sequences that it is
 * true for.
 *
 * The order makes it true: first the ends of both lanes are read, then a
 * snapshot of the database is taken. An event is committed before it is
 * stored, so everything up to those ends is in the snapshot. What the snapshot
 * holds beyond them comes again by the lanes, and applying it again changes
 * nothing. In an epoch where outbox and lanes have not been brought together
 * yet the lanes may hold more than the database, and nothing is answered.
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
    const header = { ...sequences, parts: messages + rest.length };
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

interface LaneEnds {
  readonly regionEpoch: number;
  readonly eventsSequence: number;
  readonly urgentSequence: number;
}

async function readLaneEnds(centre: Centre): Promise<LaneEnds> {
  try {
    if (centre.lanes === undefined) throw new Error("they are being compared with the database");
    const { connection, epoch } = centre.lanes;
    const last = async (lane: Lane) =>
      (await streamRange(connection, streamAsk.info(regionStream.lane(lane, epoch)), askWaitMs)).last;
    const [eventsSequence, urgentSequence] = await Promise.all([last("events"), last("urgent")]);
    return { regionEpoch: epoch, eventsSequence, urgentSequence };
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
