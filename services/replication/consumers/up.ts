import { batchLimits } from "#platform/append.ts";
import { streamRange, type StreamState } from "#platform/batch-get.ts";
import { followMany, StreamGap } from "#platform/follow.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import { hubAsk, hubSubject, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { AppendWindow } from "../append-window.ts";
import { askWaitMs, awayPollMs, compareEveryMs, flight } from "../config.ts";
import { compareAt, Forked } from "../fork.ts";
import type { Ends } from "../ends.ts";
import type { LaneStates } from "../lane-states.ts";

export interface UpLane {
  readonly ends: Ends;
  readonly lane: Lane;
  readonly region: string;
  readonly epoch: number;
  readonly states: LaneStates;
}

const nameOf = (lane: Lane): string => `up ${lane}`;

/**
 * Copies one lane of the region to the hub until the signal. The cursor is the
 * hub's own last sequence, and every append names it (compare-and-append), so
 * whatever dies in between, each message is there once and in order.
 */
export async function copyUp(up: UpLane, signal: AbortSignal): Promise<void> {
  up.states.set(nameOf(up.lane), "starting", "");
  while (!signal.aborted) {
    try {
      const cursor = await hubCursor(up, signal);
      if (cursor === undefined) return;
      await copyFrom(up, cursor, signal);
    } catch (error) {
      // Where the region no longer holds what the hub needs, going on would leave a hole: this lane alone stops.
      if (!(error instanceof Forked) && !(error instanceof StreamGap)) throw error;
      up.states.set(nameOf(up.lane), "stopped", error.message);
      await untilAborted(signal);
    }
  }
}

/**
 * Asks the hub how far it is until it answers, and compares both ends there.
 *
 * @returns where it stands; undefined when the signal aborts first
 * @throws Forked
 */
async function hubCursor(up: UpLane, signal: AbortSignal): Promise<StreamState | undefined> {
  while (!signal.aborted) {
    try {
      const cursor = await compareEnds(up);
      up.states.set(nameOf(up.lane), "copying", "");
      return cursor;
    } catch (error) {
      if (error instanceof Forked) throw error;
      up.states.set(nameOf(up.lane), "away", String(error));
      await pause(awayPollMs, signal);
    }
  }
  return undefined;
}

/** @returns where the hub stands. @throws Forked, or that one of the ends does not answer */
async function compareEnds({ ends, lane, epoch }: UpLane): Promise<StreamState> {
  const stream = regionStream.lane(lane, epoch);
  // The hub first: what it has was in the region before, so the region can only be further on.
  const there = await streamRange(ends.line, hubAsk.infoUp(lane, epoch), askWaitMs);
  const here = await streamRange(ends.region, streamAsk.info(stream), askWaitMs);
  if (there.last > here.last) {
    throw new Forked(`the hub has message ${there.last}, the region ends at ${here.last}`);
  }
  await compareAt(ends, streamAsk.get(stream), hubAsk.getUp(lane, epoch), there.last);
  return there;
}

/** Copies from the message after the cursor until an append fails or the signal; waits for what is on its way. */
async function copyFrom(up: UpLane, hub: StreamState, signal: AbortSignal): Promise<void> {
  const { ends, lane, region, epoch } = up;
  const attempt = new AbortController();
  const window = new AppendWindow(flight, () => attempt.abort());
  const over = AbortSignal.any([signal, attempt.signal]);
  const comparing = compareNowAndThen(up, attempt, over);
  const prefix = regionSubject.laneAll(lane, epoch).length - 1;
  try {
    const stream = regionStream.lane(lane, epoch);
    for await (const messages of followMany(ends.region, stream, hub.last, over, batchLimits)) {
      const [{ sequence } = { sequence: 0 }] = messages;
      const renamed = messages.map(({ subject, data }) => ({
        subject: hubSubject.up(lane, region, epoch, subject.slice(prefix)),
        data,
      }));
      if (!(await window.sendAll(ends.line, sequence, renamed, hub.takesBatches))) break;
    }
  } finally {
    attempt.abort();
    await window.drain();
  }
  const forked = await comparing;
  if (forked !== undefined) throw forked;
  if (window.failed) up.states.set(nameOf(lane), "away", String(window.failure));
}

/** Compares both ends every minute; the hub's silence is noticed by the appends themselves. */
async function compareNowAndThen(
  up: UpLane,
  attempt: AbortController,
  over: AbortSignal,
): Promise<Forked | undefined> {
  while (await pause(compareEveryMs, over)) {
    try {
      await compareEnds(up);
    } catch (error) {
      if (!(error instanceof Forked)) continue;
      attempt.abort();
      return error;
    }
  }
  return undefined;
}
