import { Refusal } from "#domain/refusal.ts";
import { messageAt, streamRange } from "#platform/batch-get.ts";
import { messageHash } from "#platform/message-hash.ts";
import { lanes, regionStream, streamAsk, type Lane } from "#proto/names.ts";
import type { OverlayHeader, OverlayPart } from "#proto/qalqan/centre/v1/centre.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Centre } from "../centre.ts";
import type { LaneEntry } from "../domain/reconcile.ts";
import { newestOwn } from "../lane-history.ts";
import { countOverlayDirectives, readOverlayDirectives, readOverlayRest } from "../store/overlay.ts";
import { lacksOne } from "../store/reconcile.ts";
import { requireScreening } from "./people.ts";

const askWaitMs = 2_000;

/**
 * What the overlay of this region is now, with the lane sequences that it is
 * true for.
 *
 * The order makes it true: first the ends of both lanes are read, then a
 * snapshot of the database is taken. An event is committed before it is
 * stored, so everything up to those ends is in the snapshot. What the snapshot
 * holds beyond them comes again by the lanes, and applying it again changes
 * nothing. Where outbox and lanes have not been brought together yet, or a lane
 * was filled up from the hub since, the lanes hold more than the database:
 * nothing is answered before that is taken back.
 *
 * @throws Refusal `forbidden` unless asked by this region's screening, `unavailable` while NATS is away or the
 *   database lacks what a lane holds
 */
export async function* getOverlay(centre: Centre, peer: string): AsyncGenerator<OverlayPart> {
  requireScreening(centre, peer);
  const { newest, ...ends } = await readLaneEnds(centre);
  const transaction = await centre.database.startTransaction().setIsolationLevel("repeatable read").execute();
  try {
    for (const lane of lanes) {
      if (!(await lacksOne(transaction, lane, newest[lane]))) continue;
      centre.laneDiffers(lane);
      throw lanesUnread(`the database lacks what ${lane} holds, and takes it back`);
    }
    const nowMs = Date.now();
    const messages = await countOverlayDirectives(transaction, nowMs);
    const rest = await readOverlayRest(transaction, nowMs);
    const header = { ...ends, parts: messages + rest.length };
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

interface LaneEnds extends Omit<OverlayHeader, "parts"> {
  /** This centre's newest events of each lane. */
  readonly newest: Readonly<Record<Lane, readonly LaneEntry[]>>;
}

async function readLaneEnds(centre: Centre): Promise<LaneEnds> {
  try {
    if (centre.lanes === undefined) throw new Error("they are being compared with the database");
    const { connection, epoch } = centre.lanes;
    const read = async (lane: Lane) => {
      const stream = regionStream.lane(lane, epoch);
      const { last } = await streamRange(connection, streamAsk.info(stream), askWaitMs);
      const message =
        last === 0 ? undefined : await messageAt(connection, streamAsk.get(stream), last, askWaitMs);
      return {
        sequence: last,
        hash: message === undefined ? new Uint8Array() : messageHash(message),
        // After the end: what the lane gets in between is looked for too.
        newest: await newestOwn(connection, lane, epoch),
      };
    };
    const [events, urgent] = await Promise.all([read("events"), read("urgent")]);
    return {
      regionEpoch: epoch,
      eventsSequence: events.sequence,
      urgentSequence: urgent.sequence,
      eventsHash: Buffer.from(events.hash),
      urgentHash: Buffer.from(urgent.hash),
      newest: { events: events.newest, urgent: urgent.newest },
    };
  } catch (error) {
    throw lanesUnread(error instanceof Error ? error.message : String(error));
  }
}

function lanesUnread(why: string): Refusal {
  return new Refusal({
    code: "unavailable",
    field: "",
    value: "",
    message: `the region's lanes cannot be read: ${why}`,
    remedy: "try again when the region's NATS answers",
  });
}
