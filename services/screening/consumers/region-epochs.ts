import { streamRange } from "#platform/batch-get.ts";
import { watchOpenedEpoch } from "#platform/epochs.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { onDisconnect, type NatsConnection } from "#platform/nats.ts";
import { regionStream, streamAsk } from "#proto/names.ts";
import { retryMs } from "../config.ts";
import type { Enforcement, StartEnds } from "../enforcement.ts";
import { followLanes } from "./lanes.ts";

/**
 * Follows the region's lanes in whichever epoch they are, until the signal. In
 * another epoch, and where a lane ends before what was applied of it (its store
 * was lost or is an older one), sequences mean something else: the overlay is
 * loaded whole, and what is in force stays in force until it is there.
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
    const forget = onDisconnect(connection, () => turned.abort());
    turnTo(current);
    try {
      const streamEnds = await readEnds(connection, enforcement.nationalEpoch, current, ends);
      if (needsOverlay(enforcement, current, streamEnds, log)) await load();
      enforcement.setEnds(streamEnds);
      await followLanes(connection, enforcement, load, log, ends);
    } catch (error) {
      if (!ends.aborted) throw error;
    } finally {
      forget();
    }
  }
  await watching;
}

function needsOverlay(enforcement: Enforcement, epoch: number, ends: StartEnds, log: Log): boolean {
  const { overlay, regionEpoch, isWhole } = enforcement;
  if (!isWhole) return true;
  if (regionEpoch !== epoch) {
    log.warn({ event: "epoch", from: regionEpoch, to: epoch }, "the lanes go on in another epoch");
    return true;
  }
  const isBehind = ends.events < overlay.eventsSequence || ends.urgent < overlay.urgentSequence;
  if (isBehind) log.error({ event: "lanes-behind-overlay", ends }, "the overlay is loaded anew");
  return isBehind;
}

/** Ends of the region's streams now, waiting until replication has made them. */
async function readEnds(
  connection: NatsConnection,
  nationalEpoch: number,
  regionEpoch: number,
  signal: AbortSignal,
): Promise<StartEnds> {
  const last = async (stream: string) => (await streamRange(connection, streamAsk.info(stream))).last;
  for (;;) {
    try {
      const [national, events, urgent] = await Promise.all([
        last(regionStream.national(nationalEpoch)),
        last(regionStream.lane("events", regionEpoch)),
        last(regionStream.lane("urgent", regionEpoch)),
      ]);
      return { national, events, urgent };
    } catch (error) {
      if (!(await pause(retryMs, signal))) throw error;
    }
  }
}
