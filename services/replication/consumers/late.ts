import { publishBatch } from "#platform/append.ts";
import { batchGet, lastOfSubject, streamRange } from "#platform/batch-get.ts";
import { epochsOfLanes, openingOf } from "#platform/epochs.ts";
import { follow, StreamGap } from "#platform/follow.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { askWaitMs, awayPollMs } from "../config.ts";
import { refedAs } from "../domain/epoch.ts";

/**
 * Feeds what is still written into a lane's previous epoch into the one that
 * was opened after it, until the signal: a producer that has not heard of the
 * new epoch yet loses nothing.
 */
export async function feedLate(
  connection: NatsConnection,
  lane: Lane,
  epoch: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await feed(connection, lane, epoch, signal);
    } catch (error) {
      // The previous epoch was trimmed or is gone: nobody writes there any more.
      if (error instanceof StreamGap) return untilAborted(signal);
      if (error instanceof TypeError) throw error;
      await pause(awayPollMs, signal);
    }
  }
}

async function feed(
  connection: NatsConnection,
  lane: Lane,
  epoch: number,
  signal: AbortSignal,
): Promise<void> {
  const opening = await openingOf(connection, lane, epoch);
  const previous = opening?.opened.previousEpoch ?? 0;
  const present = await epochsOfLanes(connection);
  const isThere = present.some(({ epoch: one, lanes }) => one === previous && lanes.includes(lane));
  if (opening === undefined || !isThere) return untilAborted(signal);

  const refeeds = regionSubject.refeedAll(lane, epoch);
  const get = streamAsk.get(regionStream.lane(lane, epoch));
  const lastRefed = await lastOfSubject(connection, get, refeeds, askWaitMs);
  const stream = regionStream.lane(lane, previous);
  const { regionLast } = opening.opened;
  const isLate = lastRefed !== undefined && lastRefed.sequence > opening.sequence;
  const after = isLate ? await sequenceOf(connection, stream, regionLast, lastRefed.data) : regionLast;
  const prefix = regionSubject.laneAll(lane, previous).length - 1;
  let last = lastRefed?.sequence ?? 0;
  for await (const { subject, data } of follow(connection, stream, after, signal)) {
    const rest = refedAs("region", subject.slice(prefix));
    if (rest === undefined) continue;
    const message = { subject: regionSubject.inLane(lane, epoch, rest), data };
    // We alone feed again: the last one tells whether this one is there.
    const expectation = {
      "Nats-Expected-Last-Subject-Sequence": String(last),
      "Nats-Expected-Last-Subject-Sequence-Subject": refeeds,
    };
    last = await publishBatch(connection, [message], expectation, askWaitMs);
  }
}

/** Where the message with these bytes stands after a sequence; that sequence itself when it does not. */
async function sequenceOf(
  connection: NatsConnection,
  stream: string,
  after: number,
  bytes: Uint8Array,
): Promise<number> {
  const { last } = await streamRange(connection, streamAsk.info(stream), askWaitMs);
  for (let next = after + 1; next <= last;) {
    const messages = await batchGet(connection, streamAsk.get(stream), next);
    const found = messages.find(({ data }) => Buffer.compare(data, bytes) === 0);
    if (found !== undefined) return found.sequence;
    next = (messages.at(-1)?.sequence ?? last) + 1;
  }
  return after;
}
