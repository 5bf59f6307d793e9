import type { Alarms } from "#platform/alarms.ts";
import { streamRange, type StreamState } from "#platform/batch-get.ts";
import { tellFullness } from "#platform/stream-alarms.ts";
import { hubAsk, lanes, regionStream, streamAsk } from "#proto/names.ts";
import type { StreamReport } from "#proto/qalqan/events/v1/sync.ts";
import { askWaitMs, behindMessages } from "./config.ts";
import type { Ends } from "./ends.ts";
import type { LaneStates } from "./lane-states.ts";

/** A stream of the region that is reported. */
interface Reported {
  /** Without its epoch. */
  readonly stream: string;
  readonly epoch: number;
  readonly name: string;
  /** How the hub is asked for its end, and under which name its copy is known; undefined: it stays in the region. */
  readonly hub: { readonly info: string; readonly copy: string } | undefined;
  /** At the limit it refuses what comes next, instead of letting the oldest go. */
  readonly refuses: boolean;
}

/**
 * How the region's streams stand, for the heartbeat; what fills up is an alarm.
 * LOCAL is not read by us, its size is told all the same.
 */
export class StreamReports {
  readonly #ends: Ends;
  readonly #states: LaneStates;
  readonly #alarms: Alarms;
  readonly #reported: readonly Reported[];

  constructor(
    ends: Ends,
    epochs: { readonly regionEpoch: number; readonly capitalEpoch: number },
    states: LaneStates,
    alarms: Alarms,
  ) {
    this.#ends = ends;
    this.#states = states;
    this.#alarms = alarms;
    this.#reported = reportedStreams(epochs.regionEpoch, epochs.capitalEpoch);
  }

  /** Streams that the region's server does not tell of now are left out. */
  async read(): Promise<StreamReport[]> {
    const read = await Promise.all(this.#reported.map((one) => this.#readOne(one)));
    return read.filter((report) => report !== undefined);
  }

  async #readOne(reported: Reported): Promise<StreamReport | undefined> {
    const { stream, epoch, name, hub, refuses } = reported;
    const [here, hubLast] = await Promise.all([this.#here(name), this.#hubLast(hub)]);
    if (here === undefined) return undefined;
    const { first, last, bytes, bytesMax } = here;
    if (refuses) tellFullness(this.#alarms, stream, bytes / bytesMax);
    const known = hub === undefined ? "" : (this.#states.stateOf(hub.copy) ?? "starting");
    const isBehind = known === "copying" && Math.abs(hubLast - last) > behindMessages;
    return { stream, epoch, state: isBehind ? "behind" : known, first, last, hubLast, bytes, bytesMax };
  }

  async #here(name: string): Promise<StreamState | undefined> {
    try {
      return await streamRange(this.#ends.region, streamAsk.info(name), askWaitMs);
    } catch {
      return undefined;
    }
  }

  /** As it answers now, or as it was last heard. */
  async #hubLast(hub: Reported["hub"]): Promise<number> {
    if (hub === undefined) return 0;
    try {
      const { last } = await streamRange(this.#ends.line, hub.info, askWaitMs);
      this.#states.heard(hub.copy, last);
    } catch {
      // It is away: the state of the copy says so.
    }
    return this.#states.hubLastOf(hub.copy);
  }
}

function reportedStreams(regionEpoch: number, capitalEpoch: number): readonly Reported[] {
  const down = (stream: string, name: string, info: string, copy: string): Reported => {
    return { stream, epoch: capitalEpoch, name, hub: { info, copy }, refuses: true };
  };
  return [
    { stream: "LOCAL", epoch: 0, name: regionStream.local, hub: undefined, refuses: false },
    ...lanes.map((lane): Reported => {
      const hub = { info: hubAsk.infoUp(lane, regionEpoch), copy: `up ${lane}` };
      const name = regionStream.lane(lane, regionEpoch);
      return {
        stream: lane === "events" ? "EVENTS" : "URGENT",
        epoch: regionEpoch,
        name,
        hub,
        refuses: true,
      };
    }),
    down("NATIONAL", regionStream.national(capitalEpoch), hubAsk.infoNational(capitalEpoch), "down national"),
    down("FOR", regionStream.forRegion(capitalEpoch), hubAsk.infoFor(capitalEpoch), "down for"),
    down("SNAPSHOT", regionStream.snapshot(capitalEpoch), hubAsk.infoSnapshot(capitalEpoch), "down snapshot"),
  ];
}
