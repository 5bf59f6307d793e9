import { NoSuchStream, streamRange } from "#platform/batch-get.ts";
import { epochsOfLanes } from "#platform/epochs.ts";
import { pause } from "#platform/lifecycle.ts";
import { lanes, regionStream, streamAsk, type Lane } from "#proto/names.ts";
import { askWaitMs, oldEpochsLookMs } from "./config.ts";
import { LateFeeder } from "./consumers/late.ts";
import { mayGo } from "./domain/epoch.ts";
import type { Ends } from "./ends.ts";
import type { LaneStates } from "./lane-states.ts";

/**
 * Old epochs of a region's lanes: they are fed on into the one that is opened,
 * and the oldest are let go of once the hub has everything of them.
 */
export class OldEpochs {
  readonly #ends: Ends;
  readonly #states: LaneStates;
  readonly #epoch: number;

  constructor(ends: Ends, states: LaneStates, epoch: number) {
    this.#ends = ends;
    this.#states = states;
    this.#epoch = epoch;
  }

  async run(signal: AbortSignal): Promise<void> {
    const present = await this.#presentAtLast(signal);
    const feeders = lanes.map((lane) => {
      const old = present.filter((one) => one.lanes.includes(lane)).map(({ epoch }) => epoch);
      return [lane, new LateFeeder(this.#ends, lane, this.#epoch, old)] as const;
    });
    await Promise.all([
      ...feeders.map(([, feeder]) => feeder.run(signal)),
      this.#letGoAtTimes(new Map(feeders), signal),
    ]);
  }

  /** Epochs before the one that is opened, the lowest first; none when the signal aborts before the server answers. */
  async #presentAtLast(signal: AbortSignal) {
    do {
      try {
        const present = await epochsOfLanes(this.#ends.region);
        return present.filter(({ epoch }) => epoch < this.#epoch).toReversed();
      } catch {
        // It does not answer.
      }
    } while (await pause(askWaitMs, signal));
    return [];
  }

  async #letGoAtTimes(feeders: ReadonlyMap<Lane, LateFeeder>, signal: AbortSignal): Promise<void> {
    while (await pause(oldEpochsLookMs, signal)) {
      try {
        await this.#letGo(feeders);
      } catch {
        // The server does not answer; it is looked at again.
      }
    }
  }

  async #letGo(feeders: ReadonlyMap<Lane, LateFeeder>): Promise<void> {
    const present = await epochsOfLanes(this.#ends.region);
    const manager = await this.#ends.region.jetstreamManager({ checkAPI: false });
    for (const old of mayGo(
      present.map(({ epoch }) => epoch),
      this.#epoch,
    )) {
      const isFed = await Promise.all([...feeders].map(([lane, feeder]) => this.#isAtHub(lane, old, feeder)));
      if (!isFed.every(Boolean)) continue;
      const [{ lanes: there } = { lanes: [] }] = present.filter(({ epoch }) => epoch === old);
      for (const lane of there) await manager.streams.delete(regionStream.lane(lane, old));
    }
  }

  /** Whether everything that an old epoch of a lane holds was fed, and the hub has what it was fed into. */
  async #isAtHub(lane: Lane, old: number, feeder: LateFeeder): Promise<boolean> {
    const name = `up ${lane}`;
    if (this.#states.stateOf(name) !== "copying") return false;
    if (this.#states.hubLastOf(name) < feeder.last) return false;
    try {
      const info = streamAsk.info(regionStream.lane(lane, old));
      const { last } = await streamRange(this.#ends.region, info, askWaitMs);
      return feeder.looked(old) === last;
    } catch (error) {
      if (error instanceof NoSuchStream) return true;
      throw error;
    }
  }
}
