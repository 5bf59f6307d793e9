import type { Overlay } from "#domain/overlay.ts";
import { messageHash } from "#platform/message-hash.ts";
import { lanes, type Lane } from "#proto/names.ts";
import type { LaneHashes } from "../../../services/screening/enforcement.ts";
import { asked } from "../engine/link.ts";
import { sleep, type Work } from "../engine/scheduler.ts";
import { laneStream } from "./epochs.ts";
import { contentOf, newestOwn } from "./reconciling.ts";
import { overlayEvents, overlayOf } from "./overlay-source.ts";
import type { Region, Replica, World } from "./world.ts";

const askWaitMs = 1_000;
const retryMs = 300;
const answerWaitMs = 4_000;

export interface Whole {
  readonly epoch: number;
  readonly overlay: Overlay;
  /** The last message of each lane that it is true for. */
  readonly lastOfLanes: LaneHashes;
  /** Contents of the events that it was made of. */
  readonly contents: readonly string[];
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
function* answer(world: World, region: Region, reply: (whole: Whole) => void): Work {
  const { streams } = region.store;
  const epoch = region.agreedEpoch;
  // The lanes may hold more than the database: nothing is answered.
  if (epoch === undefined) return;
  const readEnds = () => {
    const eventsSequence = laneStream(streams, "events", epoch)?.last ?? 0;
    const urgentSequence = laneStream(streams, "urgent", epoch)?.last ?? 0;
    const lastOf = (lane: Lane, sequence: number) => {
      const message = laneStream(streams, lane, epoch)?.get(sequence);
      return message && messageHash(message);
    };
    const lastOfLanes = {
      events: lastOf("events", eventsSequence),
      urgent: lastOf("urgent", urgentSequence),
    };
    const newest = { events: newestOwn(region, "events", epoch), urgent: newestOwn(region, "urgent", epoch) };
    return { epoch, eventsSequence, urgentSequence, lastOfLanes, newest };
  };
  const ends = yield* asked(region.centreToStore, readEnds, askWaitMs);
  if (ends === undefined) return;
  const nowMs = region.centre.clockMs;
  const read = () => overlayEvents(region.postgres.database.state, nowMs);
  const readBoth = () => {
    const { outbox } = region.postgres.database.state;
    const isKnown = (lane: Lane) => {
      const content = ends.newest[lane];
      return content === undefined || outbox[lane].some(({ bytes }) => contentOf(bytes) === content);
    };
    const contents = lanes.flatMap((lane) => outbox[lane].map(({ bytes }) => contentOf(bytes)));
    return { isWhole: isKnown("events") && isKnown("urgent"), events: read(), contents };
  };
  const found = yield* asked(region.centreToPostgres, readBoth, askWaitMs);
  if (found === undefined) return;
  if (!found.isWhole && !world.cores.flaws.answersUnchecked) {
    // A lane was filled up since they were compared: they are compared again before anything is answered.
    region.agreedEpoch = undefined;
    return;
  }
  const { events, contents } = found;
  reply({
    epoch: ends.epoch,
    overlay: overlayOf(region.name, { ...ends, events }),
    lastOfLanes: ends.lastOfLanes,
    contents,
  });
}
