import { appendAt, appendBatch, batchLimits, type Message } from "#platform/append.ts";
import {
  batchGet,
  lastOfEachSubject,
  messageAt,
  NoSuchStream,
  type StreamState,
} from "#platform/batch-get.ts";
import { openingOf } from "#platform/epochs.ts";
import { isNobodyThere } from "#platform/nats.ts";
import { ensureStream, laneStream } from "#platform/streams.ts";
import {
  firstEpoch,
  hubSubject,
  lanes,
  regionStream,
  regionSubject,
  streamAsk,
  type Lane,
} from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { EpochOpened } from "#proto/qalqan/events/v1/sync.ts";
import { commonHistory, stateOf, type Side } from "./compare.ts";
import { lateRoundsMax } from "./config.ts";
import { laneSides } from "./consumers/up.ts";
import type { ForkWhy } from "./domain/copy.ts";
import {
  planBlock,
  producerMarks,
  refedAs,
  type EpochEnds,
  type NumberedMessage,
  type Segment,
} from "./domain/epoch.ts";
import { numbersIn } from "./producer-numbers.ts";
import type { Ends } from "./ends.ts";

/** The epoch that is opened, and why. */
export interface Opening {
  readonly epoch: number;
  /** In which the region's producers were until now. */
  readonly previous: number;
  /** Highest epoch of which the hub holds a message. */
  readonly hubUsed: number;
  readonly why: ForkWhy;
}

/**
 * Opens an epoch of a region: makes both lanes, feeds into each what the hub
 * has and the region lost and what the region has and the hub cannot take any
 * more, and says that it is opened. What is written is a function of both ends,
 * and written by compare-and-append by us alone: killed at any moment,
 * replication goes on where it was.
 *
 * @throws when one of the ends does not answer: to be tried again
 */
export async function openEpoch(ends: Ends, region: string, opening: Opening): Promise<void> {
  const manager = await ends.region.jetstreamManager({ checkAPI: false });
  for (const lane of lanes) await ensureStream(manager, laneStream(lane, opening.epoch));
  for (const lane of lanes) {
    if ((await openingOf(ends.region, lane, opening.epoch)) === undefined) {
      await new LaneOpening(ends, region, lane, opening).run();
    }
  }
}

/** One message of what a lane's new epoch begins with. */
interface Refed {
  readonly subject: string;
  readonly data: Uint8Array;
}

class LaneOpening {
  readonly #ends: Ends;
  readonly #region: string;
  readonly #lane: Lane;
  readonly #opening: Opening;

  constructor(ends: Ends, region: string, lane: Lane, opening: Opening) {
    this.#ends = ends;
    this.#region = region;
    this.#lane = lane;
    this.#opening = opening;
  }

  async run(): Promise<void> {
    const { previous, hubUsed } = this.#opening;
    const epochs: EpochEnds[] = [];
    for (let epoch = previous; epoch <= Math.max(previous, hubUsed); epoch += 1) {
      epochs.push(await this.#endsOf(epoch));
    }
    let next = await this.#writeBlock(planBlock(epochs));
    const [first] = epochs;
    let fed = first?.region?.last ?? 0;
    // What its producers wrote while the block was written.
    for (let round = 0; round < lateRoundsMax; round += 1) {
      const { last } = await stateOf(this.#sides(previous).region);
      if (last === fed) break;
      next = await this.#append(
        next,
        this.#messages([{ end: "region", epoch: previous, from: fed + 1, to: last }]),
      );
      fed = last;
    }
    await this.#sayOpened(next, epochs, fed);
  }

  #sides(epoch: number): { readonly region: Side; readonly hub: Side } {
    return laneSides(this.#ends, this.#lane, epoch);
  }

  async #endsOf(epoch: number): Promise<EpochEnds> {
    const sides = this.#sides(epoch);
    const [region, hub] = await Promise.all([existing(sides.region), existing(sides.hub)]);
    const common =
      region === undefined || hub === undefined
        ? 0
        : await commonHistory(sides.region, sides.hub, { region, hub });
    return { epoch, region, hub, common };
  }

  /**
   * Writes the part of the block that is not there yet.
   *
   * @returns the sequence that comes next
   */
  async #writeBlock(block: readonly Segment[]): Promise<number> {
    const { last: written } = await stateOf(this.#sides(this.#opening.epoch).region);
    const isStart = await this.#isStart(block, written);
    // Where the ends have changed since, all is fed once more: what is there twice takes effect once.
    return this.#append(written + 1, this.#messages(block, isStart ? written : 0));
  }

  /** Whether what is written is the start of the block: its last message tells. */
  async #isStart(block: readonly Segment[], written: number): Promise<boolean> {
    if (written === 0) return true;
    for await (const { data } of this.#messages(block, written - 1)) {
      const stream = regionStream.lane(this.#lane, this.#opening.epoch);
      const there = await messageAt(this.#ends.region, streamAsk.get(stream), written);
      return there !== undefined && Buffer.compare(there.data, data) === 0;
    }
    return false;
  }

  /** @param skip so many messages of the block are left out */
  async *#messages(block: readonly Segment[], skip = 0): AsyncGenerator<Refed> {
    let left = skip;
    for (const { end, epoch, from, to } of block) {
      const side = this.#sides(epoch)[end];
      const prefix = this.#prefix(end, epoch).length;
      for (let next = from; next <= to;) {
        const messages = await batchGet(side.connection, side.get, next);
        const last = messages.at(-1)?.sequence;
        if (last === undefined) throw new Error(`${side.get} gave nothing from ${next} on`);
        for (const { sequence, subject, data } of messages) {
          const rest = sequence > to ? undefined : refedAs(end, subject.slice(prefix));
          if (rest === undefined) continue;
          if (left > 0) left -= 1;
          else yield { subject: regionSubject.inLane(this.#lane, this.#opening.epoch, rest), data };
        }
        next = last + 1;
      }
    }
  }

  /** What stands before `producer.type` in the subjects of that end. */
  #prefix(end: "hub" | "region", epoch: number): string {
    const all =
      end === "hub"
        ? hubSubject.upAll(this.#lane, this.#region, epoch)
        : regionSubject.laneAll(this.#lane, epoch);
    return all.slice(0, -1);
  }

  /** @returns the sequence that comes next */
  async #append(from: number, messages: AsyncIterable<Refed>): Promise<number> {
    let next = from;
    let waiting: Message[] = [];
    let bytes = 0;
    const flush = async () => {
      if (waiting.length > 0) await appendBatch(this.#ends.region, next, waiting);
      next += waiting.length;
      waiting = [];
      bytes = 0;
    };
    for await (const message of messages) {
      const { length } = message.data;
      if (waiting.length >= batchLimits.messagesMax || bytes + length > batchLimits.bytesMax) await flush();
      waiting.push(message);
      bytes += length;
    }
    await flush();
    return next;
  }

  async #sayOpened(sequence: number, epochs: readonly EpochEnds[], regionLast: number): Promise<void> {
    const { epoch, previous, why } = this.#opening;
    const marks = await this.#marks(epochs);
    const [first] = epochs;
    const atMs = Date.now();
    const value = EpochOpened.create({
      lane: this.#lane,
      epoch,
      previousEpoch: previous,
      common: first?.common ?? 0,
      hubLast: first?.hub?.last ?? 0,
      regionLast,
      producers: [...marks].map(([producer, outbox]) => ({ producer, outbox })),
      why,
      atMs,
    });
    const outbox = (marks.get("replication") ?? 0) + 1;
    const bytes = Event.encode({ outbox, atMs, body: { $case: "epochOpened", value } }).finish();
    const subject = regionSubject.lane(this.#lane, epoch, "replication", "epochOpened");
    await appendAt(this.#ends.region, subject, sequence, bytes);
  }

  /** The highest number of each producer in all these epochs, at either end. */
  async #marks(epochs: readonly EpochEnds[]): Promise<ReadonlyMap<string, number>> {
    let marks: ReadonlyMap<string, number> = new Map();
    for (const ends of epochs) {
      for (const end of ["hub", "region"] as const) {
        if ((ends[end]?.last ?? 0) === 0) continue;
        const prefix = this.#prefix(end, ends.epoch);
        const { connection, get } = this.#sides(ends.epoch)[end];
        const numbered: NumberedMessage[] = [];
        for (const { subject, data } of await lastOfEachSubject(connection, get, `${prefix}>`)) {
          numbered.push(...numbersIn(this.#lane, subject.slice(prefix.length), data));
        }
        marks = producerMarks(numbered, marks);
      }
    }
    return marks;
  }
}

async function existing(side: Side): Promise<StreamState | undefined> {
  try {
    return await stateOf(side);
  } catch (error) {
    if (error instanceof NoSuchStream) return undefined;
    throw error;
  }
}

/**
 * @param upTo the last epoch that the hub's accounts may list
 * @returns the highest epoch of which the hub holds a message; 0: of none
 * @throws when the hub does not answer
 */
export async function highestUsedAtHub(ends: Ends, upTo: number): Promise<number> {
  const isUsed = async (lane: Lane, epoch: number): Promise<boolean> =>
    ((await existing(laneSides(ends, lane, epoch).hub))?.last ?? 0) > 0;
  const first = await Promise.all(lanes.map((lane) => isUsed(lane, firstEpoch)));
  const later = Array.from({ length: upTo - firstEpoch }, (_, index) => firstEpoch + 1 + index);
  const used = await Promise.all(
    later.map(async (epoch) => {
      try {
        return (await Promise.all(lanes.map((lane) => isUsed(lane, epoch)))).some(Boolean) ? epoch : 0;
      } catch (error) {
        // The hub answered before: the accounts of an earlier release do not list this epoch.
        if (isNobodyThere(error)) return 0;
        throw error;
      }
    }),
  );
  return Math.max(first.some(Boolean) ? firstEpoch : 0, ...used);
}
