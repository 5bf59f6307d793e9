import type { Overlay } from "#domain/overlay.ts";
import { asked } from "../engine/link.ts";
import { sleep, type Work } from "../engine/scheduler.ts";
import { openedEpoch, laneStream } from "./epochs.ts";
import { overlayEvents, overlayOf } from "./overlay-source.ts";
import type { Region, Replica, World } from "./world.ts";

const askWaitMs = 1_000;
const retryMs = 300;
const answerWaitMs = 4_000;

interface Whole {
  readonly epoch: number;
  readonly overlay: Overlay;
}

/** A replica asks centre for the whole overlay; undefined: no answer in time. */
export function* loadWhole(world: World, region: Region, replica: Replica): Work<Whole | undefined> {
  const { scheduler } = world;
  const { centre } = region;
  const loaded = yield (resume) => {
    let isOver = false;
    const end = (whole: Whole | undefined) => {
      if (isOver) return;
      isOver = true;
      resume(whole);
    };
    scheduler.at(answerWaitMs, () => end(undefined));
    const arrive = () => {
      centre.run(answer(world, region, (whole) => scheduler.at(1, () => end(whole))));
      return true;
    };
    replica.toCentre.send(arrive, answerWaitMs, () => undefined);
  };
  if (loaded === undefined) yield sleep(scheduler, retryMs);
  return loaded as Whole | undefined;
}

/** First the ends of the lanes, then the database: what is beyond the ends comes again by the lanes. */
function* answer(_: World, region: Region, reply: (whole: Whole) => void): Work {
  const { streams } = region.store;
  const readEnds = () => {
    const epoch = openedEpoch(streams);
    const eventsSequence = laneStream(streams, "events", epoch)?.last ?? 0;
    const urgentSequence = laneStream(streams, "urgent", epoch)?.last ?? 0;
    return { epoch, eventsSequence, urgentSequence };
  };
  const ends = yield* asked(region.centreToStore, readEnds, askWaitMs);
  if (ends === undefined) return;
  const nowMs = region.centre.clockMs;
  const read = () => overlayEvents(region.postgres.database.state, nowMs);
  const events = yield* asked(region.centreToPostgres, read, askWaitMs);
  if (events === undefined) return;
  reply({ epoch: ends.epoch, overlay: overlayOf(region.name, { ...ends, events }) });
}
