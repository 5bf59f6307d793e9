import { hubStream, lanes, regionStream, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { asked } from "../engine/link.ts";
import type { Work } from "../engine/scheduler.ts";
import type { Stored, Stream } from "../engine/store.ts";
import {
  beginSearch,
  commonPrefix,
  compared,
  nextToCompare,
} from "../../../services/replication/domain/common-prefix.ts";
import type { StreamEnd } from "../../../services/replication/domain/copy.ts";
import {
  producerMarks,
  refedAs,
  type EpochEnds,
  type EpochKnowledge,
  type EpochPlan,
} from "../../../services/replication/domain/epoch.ts";
import { askWaitMs } from "./copying.ts";
import { decodeEvent, sameBytes } from "./decoded.ts";
import { epochsMax, openedEpoch, openerName, openingOf } from "./epochs.ts";
import { streamBytesMax } from "./streams.ts";
import type { Region, World } from "./world.ts";

type Opening = Extract<EpochPlan, { kind: "open" }>;

/** How far a region's epochs have come, here and at the hub; undefined: one of the two does not answer. */
export function* readEpochs({ capital }: World, region: Region): Work<EpochKnowledge | undefined> {
  const { store, replicationToStore, line, name } = region;
  const highest = (isUsed: (epoch: number) => boolean) => {
    for (let epoch = epochsMax; epoch > 0; epoch -= 1) if (isUsed(epoch)) return epoch;
    return 0;
  };
  const hubUsed = yield* asked(
    line,
    () =>
      highest((epoch) =>
        lanes.some((lane) => (capital.hub.streams.find(hubStream.up(lane, name, epoch))?.last ?? 0) > 0),
      ),
    askWaitMs,
  );
  if (hubUsed === undefined) return undefined;
  const here = yield* asked(
    replicationToStore,
    () => {
      const created = highest((epoch) =>
        lanes.some((lane) => store.streams.find(regionStream.lane(lane, epoch)) !== undefined),
      );
      return { opened: openedEpoch(store.streams), created: Math.max(1, created) };
    },
    askWaitMs,
  );
  return here === undefined ? undefined : { ...here, hubUsed };
}

/** Every message of a lane that both ends keep, by epoch; what was read is of two moments. */
interface LaneContents {
  readonly ends: readonly EpochEnds[];
  readonly region: ReadonlyMap<number, readonly Stored[]>;
  readonly hub: ReadonlyMap<number, readonly Stored[]>;
}

/**
 * Opens an epoch, or goes on opening it: both lanes get what the old epochs had
 * beyond the common history, and then `epochOpened`. Replication alone writes
 * before that, so a killed one goes on where it was.
 *
 * @returns false: somebody did not answer, or another process writes too; to be tried again
 */
export function* openEpoch(world: World, region: Region, { epoch, previous, why }: Opening): Work<boolean> {
  for (const lane of lanes) {
    const contents = yield* readLane(world, region, lane, previous, epoch - 1);
    if (contents === undefined) return false;
    if (!(yield* feed(world, region, lane, epoch, contents))) return false;
    const { ends } = contents;
    const [first] = ends;
    const marks = marksOf(contents);
    const value = {
      ...{
        lane,
        epoch,
        previousEpoch: previous,
        common: first?.common ?? 0,
        why,
        atMs: region.replication.clockMs,
      },
      ...{ hubLast: first?.hub?.last ?? 0, regionLast: first?.region?.last ?? 0 },
      producers: [...marks].map(([producer, outbox]) => ({ producer, outbox })),
    };
    const outbox = (marks.get(openerName) ?? 0) + 1;
    const data = Event.encode({ outbox, atMs: value.atMs, body: { $case: "epochOpened", value } }).finish();
    const append = () => {
      const stream = region.store.streams.find(regionStream.lane(lane, epoch));
      if (stream === undefined) return false;
      if (openingOf(stream) !== undefined) return true;
      return (
        typeof stream.append(
          `${openerName}.epochOpened`,
          data,
          { last: stream.last },
          world.scheduler.nowMs,
        ) === "number"
      );
    };
    if ((yield* asked(region.replicationToStore, append, askWaitMs)) !== true) return false;
  }
  world.truth.opened += 1;
  world.scheduler.note(region.replication.name, `opens epoch ${epoch} after ${previous}: ${why}`);
  return true;
}

/**
 * What came into the lanes of old epochs after they were cut is fed too, of
 * every one that is kept: a store that came back may have lost what was fed.
 */
export function* feedLate(world: World, region: Region, epoch: number): Work<boolean> {
  for (const lane of lanes) {
    const contents = yield* readLane(world, region, lane, 1, epoch - 1);
    if (contents === undefined || !(yield* feed(world, region, lane, epoch, contents))) return false;
  }
  return true;
}

/** Appends what is to be fed and is not in the new epoch yet, one after the other. */
function* feed(
  world: World,
  region: Region,
  lane: Lane,
  epoch: number,
  contents: LaneContents,
): Work<boolean> {
  const { streams } = region.store;
  const name = regionStream.lane(lane, epoch);
  const there = yield* asked(
    region.replicationToStore,
    () => streams.create(name, streamBytesMax).read(1, Number.MAX_SAFE_INTEGER),
    askWaitMs,
  );
  if (there === undefined) return false;
  const fed = there.filter(({ subject }) => subject.startsWith("refeed."));
  for (const { end, epoch: old, from, to } of world.cores.planBlock(contents.ends)) {
    for (const message of contents[end].get(old) ?? []) {
      const subject = refedAs(end, message.subject);
      if (message.sequence < from || message.sequence > to || subject === undefined) continue;
      if (fed.some((each) => sameBytes(each.data, message.data))) continue;
      fed.push(message);
      const append = () => {
        const stream = streams.find(name);
        // Read and appended in one effect: the model's shorthand for a loop of compare-and-append.
        return (
          stream?.append(subject, message.data, { last: stream.last }, world.scheduler.nowMs) ?? "no-stream"
        );
      };
      if (typeof (yield* asked(region.replicationToStore, append, askWaitMs)) !== "number") return false;
    }
  }
  return true;
}

function* readLane(
  { capital }: World,
  region: Region,
  lane: Lane,
  from: number,
  to: number,
): Work<LaneContents | undefined> {
  const epochs = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const readAll = (find: (epoch: number) => Stream | undefined) => () =>
    new Map(
      epochs.flatMap((epoch) => {
        const stream = find(epoch);
        return stream === undefined
          ? []
          : [[epoch, stream.read(stream.first, Number.MAX_SAFE_INTEGER)] as const];
      }),
    );
  const hub = yield* asked(
    region.line,
    readAll((epoch) => capital.hub.streams.find(hubStream.up(lane, region.name, epoch))),
    askWaitMs,
  );
  if (hub === undefined) return undefined;
  const here = yield* asked(
    region.replicationToStore,
    readAll((epoch) => region.store.streams.find(regionStream.lane(lane, epoch))),
    askWaitMs,
  );
  if (here === undefined) return undefined;
  const ends = epochs.map((epoch): EpochEnds => {
    const [ours, theirs] = [here.get(epoch), hub.get(epoch)];
    return { epoch, region: endOf(ours), hub: endOf(theirs), common: commonOf(ours ?? [], theirs ?? []) };
  });
  return { ends, region: here, hub };
}

function endOf(messages: readonly Stored[] | undefined): StreamEnd | undefined {
  if (messages === undefined) return undefined;
  const [first] = messages;
  return { first: first?.sequence ?? 1, last: messages.at(-1)?.sequence ?? 0 };
}

function commonOf(ours: readonly Stored[], theirs: readonly Stored[]): number {
  const known = new Map(theirs.map(({ sequence, data }) => [sequence, data]));
  let search = beginSearch(endOf(ours) ?? { first: 1, last: 0 }, endOf(theirs) ?? { first: 1, last: 0 });
  for (let range = nextToCompare(search); range !== undefined; range = nextToCompare(search)) {
    const { from, to } = range;
    const differing = ours
      .filter(({ sequence }) => sequence >= from && sequence <= to)
      .filter(({ sequence, data }) => !sameBytes(known.get(sequence) ?? data, data))
      .map(({ sequence }) => sequence);
    search = compared(search, range, differing);
  }
  return commonPrefix(search);
}

function marksOf({ region, hub }: LaneContents): ReadonlyMap<string, number> {
  const messages = [...region.values(), ...hub.values()].flat();
  const before = new Map<string, number>();
  for (const { subject, data } of messages) {
    if (subject !== `${openerName}.epochOpened`) continue;
    const { body } = decodeEvent(data);
    if (body?.$case !== "epochOpened") continue;
    for (const { producer, outbox } of body.value.producers) {
      before.set(producer, Math.max(before.get(producer) ?? 0, outbox));
    }
  }
  const numbered = messages.map(({ subject, data }) => ({ rest: subject, outbox: decodeEvent(data).outbox }));
  return producerMarks(numbered, before);
}
