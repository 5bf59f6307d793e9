import { firstEpoch, lanes, regionStream, type Lane } from "#proto/names.ts";
import type { Stream, Streams } from "../engine/store.ts";
import { decodeEvent } from "./decoded.ts";

/** Epochs that a run can reach; the hub's accounts list eight at a time. */
export const epochsMax = 32;

/** Who writes `epochOpened`, and nobody else. */
export const openerName = "replication";

/** The event that opened an epoch of a lane; undefined: none. */
export function openingOf(stream: Stream | undefined) {
  if (stream === undefined) return undefined;
  for (const { subject, data } of stream.read(stream.first, Number.MAX_SAFE_INTEGER)) {
    if (subject !== `${openerName}.epochOpened`) continue;
    const { body } = decodeEvent(data);
    if (body?.$case === "epochOpened") return body.value;
  }
  return undefined;
}

/** services/platform/epochs.ts: the highest epoch that both lanes say was opened. */
export function openedEpoch(streams: Streams): number {
  for (let epoch = epochsMax; epoch > firstEpoch; epoch -= 1) {
    if (lanes.every((lane) => openingOf(streams.find(regionStream.lane(lane, epoch))) !== undefined)) {
      return epoch;
    }
  }
  return firstEpoch;
}

/** Number after which a producer goes on in an epoch that has nothing of it yet. */
export function numberBefore(producer: string): (stream: Stream) => number {
  return (stream) => {
    const marks = openingOf(stream)?.producers ?? [];
    return marks.find((mark) => mark.producer === producer)?.outbox ?? 0;
  };
}

export const laneStream = (streams: Streams, lane: Lane, epoch: number): Stream | undefined =>
  streams.find(regionStream.lane(lane, epoch));
