import { streamRange } from "#platform/batch-get.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { retainedOf, trimStream, type Retention } from "#platform/trim.ts";
import { hubAsk, lanes, regionStream, streamAsk } from "#proto/names.ts";
import { askWaitMs } from "./config.ts";
import type { SnapshotCopy } from "./consumers/snapshot.ts";
import { trimForRegion, trimLane, trimNational } from "./domain/trim.ts";
import type { Ends } from "./ends.ts";
import { compareAt } from "./fork.ts";
import type { RegionLanes } from "./region-lanes.ts";

/** What trimming goes by. */
export interface TrimmerParts {
  readonly ends: Ends;
  readonly regionLanes: Pick<RegionLanes, "epoch" | "told">;
  readonly capitalEpoch: number;
  readonly snapshots: SnapshotCopy;
  readonly retention: Retention;
  readonly everyMs: number;
  readonly log: Log;
}

/**
 * Trims the region's streams now and then until the signal: lanes up to what
 * the hub has and a heartbeat tells the producers' numbers of, NATIONAL up to the region's snapshot, FOR by age. Nothing is
 * trimmed that the hub was not asked about just now.
 */
export async function trimNowAndThen(parts: TrimmerParts, signal: AbortSignal): Promise<void> {
  while (await pause(parts.everyMs, signal)) {
    try {
      await trimCopies(parts);
      await trimLanes(parts);
    } catch (error) {
      parts.log.info({ reason: String(error) }, "the region's streams could not be trimmed now");
    }
  }
}

async function trimLanes({ ends, regionLanes, retention }: TrimmerParts): Promise<void> {
  const { epoch, told } = regionLanes;
  for (const lane of lanes) {
    const { last } = await streamRange(ends.line, hubAsk.infoUp(lane, epoch), askWaitMs);
    const stream = regionStream.lane(lane, epoch);
    const retained = await retainedOf(ends.region, stream, retention);
    if (retained === undefined) continue;
    // A hub with another history has nothing of ours, however far it is.
    await compareAt(ends, streamAsk.get(stream), hubAsk.getUp(lane, epoch), Math.min(last, retained.last));
    await trimStream(ends.region, stream, trimLane(retained, Math.min(last, told[lane])));
  }
}

async function trimCopies({ ends, capitalEpoch, snapshots, retention }: TrimmerParts): Promise<void> {
  const national = regionStream.national(capitalEpoch);
  const copy = await retainedOf(ends.region, national, retention);
  if (copy !== undefined)
    await trimStream(ends.region, national, trimNational(copy, snapshots.newest?.manifest.sequence));
  const forRegion = regionStream.forRegion(capitalEpoch);
  const kept = await retainedOf(ends.region, forRegion, retention);
  if (kept !== undefined) await trimStream(ends.region, forRegion, trimForRegion(kept));
}
