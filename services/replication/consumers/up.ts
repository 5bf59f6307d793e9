import { batchLimits, type Message } from "#platform/append.ts";
import { batchGet, type StreamState } from "#platform/batch-get.ts";
import type { Alarms } from "#platform/alarms.ts";
import { followMany, StreamGap, type StoredMessage } from "#platform/follow.ts";
import { pause } from "#platform/lifecycle.ts";
import { hubAsk, hubSubject, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { AppendWindow } from "../append-window.ts";
import { agreement, stateOf, type Side } from "../compare.ts";
import { awayPollMs, compareEveryMs, compareWindow, drainWaitMs, flight } from "../config.ts";
import { planCopy, type CopyPlan, type ForkWhy } from "../domain/copy.ts";
import type { Ends } from "../ends.ts";
import type { LaneStates } from "../lane-states.ts";
import { watchLine } from "../line-watch.ts";
import type { Patience } from "../patience.ts";

export interface UpLane {
  readonly ends: Ends;
  readonly lane: Lane;
  readonly region: string;
  readonly epoch: number;
  /** In an earlier epoch, what is not simply to be copied is left as it is. */
  readonly isCurrent: boolean;
  /** Under which its state is shown. */
  readonly name: string;
  readonly states: LaneStates;
  readonly alarms: Alarms;
  /** With the hub. */
  readonly patience: Patience;
}

/** The lane cannot go on in this epoch. */
export interface LaneFork {
  readonly why: ForkWhy;
  readonly detail: string;
}

interface Planned {
  readonly plan: CopyPlan;
  readonly region: StreamState;
  readonly hub: StreamState;
}

/** Both ends of a lane, and how they are asked. */
export function laneSides(
  ends: Ends,
  lane: Lane,
  epoch: number,
): { readonly region: Side; readonly hub: Side } {
  const stream = regionStream.lane(lane, epoch);
  return {
    region: { connection: ends.region, get: streamAsk.get(stream), info: streamAsk.info(stream) },
    hub: { connection: ends.line, get: hubAsk.getUp(lane, epoch), info: hubAsk.infoUp(lane, epoch) },
  };
}

/**
 * Copies one lane of the region to the hub. The cursor is the hub's own last
 * sequence, and every append names it (compare-and-append), so whatever dies in
 * between, each message is there once and in order. A lane that lost its end is
 * filled up from the hub.
 *
 * @returns why the lane cannot go on in this epoch; undefined: the signal
 */
export async function copyUp(up: UpLane, signal: AbortSignal): Promise<LaneFork | undefined> {
  up.states.set(up.name, "starting", "");
  while (!signal.aborted) {
    const planned = await planAtLast(up, signal);
    if (planned === undefined) return undefined;
    const { plan } = planned;
    if (!up.isCurrent && plan.kind !== "copy") return { why: "diverged", detail: "its epoch has ended" };
    switch (plan.kind) {
      case "copy":
        up.alarms.clear("store-behind", up.name);
        await copyFrom(up, planned, signal);
        break;
      case "refill":
        await refill(up, planned, signal);
        break;
      case "fork":
        return { why: plan.why, detail: plan.detail };
      case "gap": {
        const detail = `the hub lost messages ${plan.from} to ${plan.to}, which the region no longer keeps`;
        return { why: "diverged", detail };
      }
      case "begin":
      case "wait":
        throw new Error(`a lane is never told to ${plan.kind}`);
      default:
        return plan satisfies never;
    }
  }
  return undefined;
}

/** Asks both ends until they answer; undefined when the signal aborts first. */
async function planAtLast(up: UpLane, signal: AbortSignal): Promise<Planned | undefined> {
  while (!signal.aborted) {
    try {
      return await planNow(up, compareWindow);
    } catch (error) {
      up.states.set(up.name, "away", String(error));
      await pause(awayPollMs, signal);
    }
  }
  return undefined;
}

/** @throws when one of the ends does not answer */
async function planNow(up: UpLane, window: number): Promise<Planned> {
  const { ends, lane, epoch, states, name, patience } = up;
  const sides = laneSides(ends, lane, epoch);
  // The hub first: what it has was in the region before, so the region can only be further on.
  const hub = await patience.ask((waitMs) => stateOf(sides.hub, waitMs));
  const region = await stateOf(sides.region);
  states.heard(name, hub.last);
  const agree = await agreement(sides.region, sides.hub, { region, hub }, window);
  return { plan: planCopy("up", region, hub, agree), region, hub };
}

/** Copies from the message after the hub's last until an append fails or the signal; waits for what is on its way. */
async function copyFrom(up: UpLane, { hub }: Planned, signal: AbortSignal): Promise<void> {
  const { ends, lane, region, epoch, states, name } = up;
  states.set(name, "copying", "");
  const attempt = new AbortController();
  const window = new AppendWindow(flight, hub.last, () => attempt.abort());
  const over = AbortSignal.any([signal, attempt.signal]);
  const watching = [
    watchLine(laneSides(ends, lane, epoch).hub, window, (last) => states.heard(name, last), over),
    compareNowAndThen(up, window, over),
  ];
  const prefix = regionSubject.laneAll(lane, epoch).length - 1;
  const renamed = ({ subject, data }: StoredMessage): Message => ({
    subject: hubSubject.up(lane, region, epoch, subject.slice(prefix)),
    data,
  });
  try {
    const stream = regionStream.lane(lane, epoch);
    for await (const messages of followMany(ends.region, stream, hub.last, over, batchLimits)) {
      const [{ sequence } = { sequence: 0 }] = messages;
      if (!(await window.sendAll(ends.line, sequence, messages.map(renamed), hub.takesBatches))) break;
    }
  } catch (error) {
    // Where the region no longer holds what the hub needs, the next plan says so.
    if (!(error instanceof StreamGap)) throw error;
  } finally {
    await window.drain(drainWaitMs);
    attempt.abort();
    await Promise.all(watching);
  }
  if (window.failed) states.set(name, "away", String(window.failure));
}

/** Looks every minute whether there is still to be copied; the hub's silence is noticed by the appends themselves. */
async function compareNowAndThen(up: UpLane, window: AppendWindow, over: AbortSignal): Promise<void> {
  while (await pause(compareEveryMs, over)) {
    try {
      const { plan: found } = await planNow(up, 1);
      if (found.kind !== "copy") window.fail(new Error(`both ends say ${found.kind}`));
    } catch {
      // One of them does not answer.
    }
  }
}

/** Appends to the region what it lost and the hub has; whoever writes there meanwhile makes it a fork. */
async function refill(up: UpLane, { plan: found, region }: Planned, signal: AbortSignal): Promise<void> {
  if (found.kind !== "refill") return;
  const { ends, lane, epoch, states, name, alarms } = up;
  const detail = `the region's store is older than the hub's: messages ${found.from} to ${found.to} are filled up from the hub`;
  states.set(name, "refilling", detail);
  alarms.raise("store-behind", name, detail);
  const sides = laneSides(ends, lane, epoch);
  const prefix = hubSubject.upAll(lane, up.region, epoch).length - 1;
  const window = new AppendWindow(flight, region.last, () => undefined);
  try {
    for (let next = found.from; next <= found.to && !signal.aborted;) {
      const messages = await batchGet(ends.line, sides.hub.get, next);
      const broken = messages.findIndex(({ sequence }, index) => sequence !== next + index);
      if (messages.length === 0 || broken >= 0)
        throw new Error(`the hub gave no message ${next + Math.max(0, broken)}`);
      const originals = messages.map(({ subject, data }) => ({
        subject: regionSubject.inLane(lane, epoch, subject.slice(prefix)),
        data,
      }));
      if (!(await window.sendAll(ends.region, next, originals, region.takesBatches))) break;
      next += messages.length;
    }
    await window.drain();
    if (window.failed) throw window.failure;
  } catch (error) {
    states.set(name, "away", String(error));
    await pause(awayPollMs, signal);
  }
}
