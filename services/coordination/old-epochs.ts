import { streamBytesMax } from "#platform/streams.ts";
import { resizeStream, retainedOf, sizeOf } from "#platform/trim.ts";
import { hubStream } from "#proto/names.ts";
import { isOver, mayShrink, openedSince, type ReadLane } from "./domain/old-epochs.ts";
import { trimLane } from "./domain/trim.ts";
import { readLanes } from "./store/trim.ts";
import { trimHub } from "./trim-hub.ts";
import type { TrimmerParts } from "./trimmer.ts";

const smallBytesMax = streamBytesMax.oldLane;

/**
 * Gives the room back that lanes of epochs take which are over: their largest
 * sizes, 5 GiB an epoch, count against the hub's store, whatever is in them.
 * The streams stay, and with them what they tell: which epochs were used, and
 * how far. Messages go only where they are too many for what is left.
 */
export async function letGoOfOldEpochs(parts: TrimmerParts): Promise<void> {
  const { database, lead, connection, log } = parts;
  const read = await readLanes(database);
  for (const place of read) {
    const { region, lane, epoch, sequence: applied } = place;
    const newer = openedSince(place, read);
    if (newer === 0) continue;
    const stream = hubStream.up(lane, region, epoch);
    const found = await sizeOf(connection, stream);
    if (found === undefined || found.bytesMax <= smallBytesMax) continue;
    if (!isOver(newer, found, Date.now())) continue;
    const left = mayShrink({ ...found, applied }, smallBytesMax) ? found : await emptied(parts, place);
    if (left === undefined || !mayShrink({ ...left, applied }, smallBytesMax)) continue;
    await lead.assertStill(database);
    await resizeStream(connection, stream, smallBytesMax);
    log.info(
      { event: "epoch-over", of: region, lane, epoch, bytes: left.bytes },
      "an old epoch gives its room back",
    );
  }
}

/** Lets go of what is read, archived and older than the retention: a region may come back from a backup of that time. */
async function emptied(parts: TrimmerParts, place: ReadLane) {
  const { connection, retention, archived } = parts;
  const stream = hubStream.up(place.lane, place.region, place.epoch);
  const retained = await retainedOf(connection, stream, { ...retention, keptMessages: 0 });
  if (retained === undefined) return undefined;
  await trimHub(parts, stream, trimLane(retained, place.sequence, archived(stream)));
  return sizeOf(connection, stream);
}
