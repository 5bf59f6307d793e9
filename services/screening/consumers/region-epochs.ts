import { messageAt, streamRange } from "#platform/batch-get.ts";
import { watchOpenedEpoch } from "#platform/epochs.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { onDisconnect, type NatsConnection } from "#platform/nats.ts";
import { messageHash } from "#platform/message-hash.ts";
import { lanes, regionStream, streamAsk, type Lane } from "#proto/names.ts";
import { retryMs } from "../config.ts";
import type { StartEnds } from "../domain/start.ts";
import type { Enforcement } from "../enforcement.ts";
import { followLanes, laneSequence } from "./lanes.ts";

/**
 * Follows the region's lanes in whichever epoch they are, until the signal. In
 * another epoch, and where a lane does not hold the message that was applied of it
 * last (its store was lost, or is an older one and has grown since), sequences
 * mean something else: the overlay is loaded whole, and what is in force stays in
 * force until it is there.
 *
 * @param turnTo told of each epoch before anything is read in it
 * @param loadOverlay replaces the overlay by what centre says is true in that epoch
 */
export async function followEpochs(
  connection: NatsConnection,
  enforcement: Enforcement,
  turnTo: (epoch: number) => void,
  loadOverlay: (epoch: number, signal: AbortSignal) => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let epoch = 0;
  let turned = new AbortController();
  const watching = (async () => {
    for await (const opened of watchOpenedEpoch(connection, signal)) {
      epoch = opened;
      turned.abort();
    }
  })();
  while (!signal.aborted) {
    turned = new AbortController();
    const ends = AbortSignal.any([signal, turned.signal]);
    if (epoch === 0) {
      await untilAborted(ends);
      continue;
    }
    const current = epoch;
    const load = () => loadOverlay(current, ends);
    const forget = onDisconnect(connection, () => {
      enforcement.lanesAway();
      turned.abort();
    });
    turnTo(current);
    try {
      const found = await readEnds(connection, enforcement, current, ends);
      if (needsOverlay(enforcement, current, found, log)) await load();
      // The server went away meanwhile: what it has now is compared before anything is said of its lanes.
      if (ends.aborted) continue;
      enforcement.setEnds(found.ends);
      await followLanes(connection, enforcement, load, log, ends);
    } catch (error) {
      if (!ends.aborted) throw error;
    } finally {
      forget();
    }
  }
  await watching;
}

/** The region's streams as they are now. */
interface Found {
  readonly ends: StartEnds;
  /** Lanes that hold another message where one was applied last. */
  readonly others: readonly Lane[];
}

function needsOverlay(enforcement: Enforcement, epoch: number, { ends, others }: Found, log: Log): boolean {
  const { overlay, regionEpoch, isWhole } = enforcement;
  if (!isWhole) return true;
  if (regionEpoch !== epoch) {
    log.warn({ event: "epoch", from: regionEpoch, to: epoch }, "the lanes go on in another epoch");
    return true;
  }
  const isBehind = ends.events < overlay.eventsSequence || ends.urgent < overlay.urgentSequence;
  if (isBehind) log.error({ event: "lanes-behind-overlay", ends }, "the overlay is loaded anew");
  if (others.length > 0)
    log.error({ event: "lanes-of-other-history", lanes: others }, "the overlay is loaded anew");
  return isBehind || others.length > 0;
}

/** Ends of the region's streams now, waiting until replication has made them. */
async function readEnds(
  connection: NatsConnection,
  enforcement: Enforcement,
  regionEpoch: number,
  signal: AbortSignal,
): Promise<Found> {
  const last = async (stream: string) => (await streamRange(connection, streamAsk.info(stream))).last;
  for (;;) {
    try {
      const [national, events, urgent] = await Promise.all([
        last(regionStream.national(enforcement.nationalEpoch)),
        last(regionStream.lane("events", regionEpoch)),
        last(regionStream.lane("urgent", regionEpoch)),
      ]);
      const isOther = await Promise.all(
        lanes.map((lane) => holdsAnother(connection, enforcement, lane, regionEpoch)),
      );
      const others = lanes.filter((_lane, index) => isOther[index]);
      return { ends: { national, events, urgent }, others };
    } catch (error) {
      if (!(await pause(retryMs, signal))) throw error;
    }
  }
}

/** What a lane no longer keeps, or a file of an older release does not name, says nothing. */
async function holdsAnother(
  connection: NatsConnection,
  enforcement: Enforcement,
  lane: Lane,
  epoch: number,
): Promise<boolean> {
  const known = enforcement.lastOfLanes[lane];
  if (known === undefined || epoch !== enforcement.regionEpoch) return false;
  const sequence = laneSequence(enforcement.overlay, lane);
  if (sequence === 0) return false;
  const found = await messageAt(connection, streamAsk.get(regionStream.lane(lane, epoch)), sequence);
  return found !== undefined && !messageHash(found).equals(known);
}
