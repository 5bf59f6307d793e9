import type { Alarms } from "#platform/alarms.ts";
import { batchLimits } from "#platform/append.ts";
import { batchGet, streamRange, type CopiedMessage } from "#platform/batch-get.ts";
import { pause } from "#platform/lifecycle.ts";
import { isUnanswered, onDisconnect } from "#platform/nats.ts";
import { hubAsk, hubSubject, regionStream, regionSubject, streamAsk } from "#proto/names.ts";
import { AppendWindow } from "../append-window.ts";
import { agreement, stateOf, type Side } from "../compare.ts";
import {
  askWaitMs,
  awayPollMs,
  compareEveryMs,
  compareWindow,
  drainWaitMs,
  flight,
  liveBytesMax,
  liveGatherMs,
  liveMessagesMax,
  lostAskWaitMaxMs,
  lostInAllMs,
  quietCheckMs,
  quietForCheckMs,
  stoppedLookMs,
} from "../config.ts";
import { planCopy } from "../domain/copy.ts";
import type { Ends } from "../ends.ts";
import type { LaneStates } from "../lane-states.ts";
import { LiveMessages } from "../live-messages.ts";
import { moveOf, moveStream } from "../national-move.ts";
import { Patience } from "../patience.ts";
import type { SnapshotCopy } from "./snapshot.ts";

/** A stream of the hub and its copy in the region. */
export interface DownStream {
  readonly name: string;
  /** The copy, and the subject under which it takes messages. */
  readonly stream: string;
  readonly subject: string;
  /** How the hub is asked, and the subjects under which it republishes. */
  readonly get: string;
  readonly info: string;
  readonly live: string;
  /** After so much silence it is asked whether something was missed (ms). */
  readonly quietCheckMs: number;
}

/** NATIONAL and FOR in one epoch of the capital. */
export function downStreams(region: string, capitalEpoch: number): readonly DownStream[] {
  return [
    {
      name: "down national",
      stream: regionStream.national(capitalEpoch),
      subject: regionSubject.national(capitalEpoch),
      get: hubAsk.getNational(capitalEpoch),
      info: hubAsk.infoNational(capitalEpoch),
      live: hubSubject.live(hubSubject.nationalAll(capitalEpoch)),
      quietCheckMs,
    },
    {
      name: "down for",
      stream: regionStream.forRegion(capitalEpoch),
      subject: regionSubject.forRegion(capitalEpoch),
      get: hubAsk.getFor(capitalEpoch),
      info: hubAsk.infoFor(capitalEpoch),
      live: hubSubject.live(hubSubject.forRegionAll(region, capitalEpoch)),
      quietCheckMs: quietForCheckMs,
    },
  ];
}

/**
 * Keeps the region's copy of one stream of the hub until the signal: live
 * messages when they are the next ones, batches of direct gets whenever one is
 * missing. The copy has the hub's sequences and bytes.
 */
export class DownCopy {
  readonly #ends: Ends;
  readonly #down: DownStream;
  readonly #states: LaneStates;
  readonly #alarms: Alarms;
  readonly #snapshots: SnapshotCopy | undefined;
  readonly #patience = new Patience();
  readonly #live = new LiveMessages({ messagesMax: liveMessagesMax, bytesMax: liveBytesMax });

  /** @param snapshots from which the copy may go on, where the stream has any */
  constructor(ends: Ends, down: DownStream, states: LaneStates, alarms: Alarms, snapshots?: SnapshotCopy) {
    this.#ends = ends;
    this.#down = down;
    this.#states = states;
    this.#alarms = alarms;
    this.#snapshots = snapshots;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#states.set(this.#down.name, "starting", "");
    const subscription = this.#ends.line.subscribe(this.#down.live, {
      callback: (error, message) => {
        const sequence = Number(message?.headers?.get("Nats-Sequence"));
        if (error === null && Number.isSafeInteger(sequence))
          this.#live.push({ sequence, subject: this.#down.subject, data: message.data });
      },
    });
    try {
      while (!signal.aborted) await this.#attempt(signal);
    } finally {
      subscription.unsubscribe();
    }
  }

  /** Copies until something fails: then the next attempt begins at the copy's end. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { name } = this.#down;
    try {
      const planned = await this.#plan(compareWindow);
      if (planned.kind === "copy") {
        this.#states.set(name, "copying", "");
        this.#alarms.clear("lane-forked", name);
        await this.#copyFrom(planned.from, planned.takesBatches, signal);
      } else if (planned.kind === "wait") {
        // The capital fills its stream up from its database.
        this.#states.set(name, "behind", planned.why);
        await pause(awayPollMs, signal);
      } else {
        this.#states.set(name, "stopped", planned.why);
        this.#alarms.raise("lane-forked", name, `${planned.why}; a person decides: npx qalqan rebuild`);
        await pause(stoppedLookMs, signal);
      }
    } catch (error) {
      this.#states.set(name, "away", String(error));
      await pause(awayPollMs, signal);
    }
  }

  /** @throws what ended it, unless that was the signal */
  async #copyFrom(from: number, takesBatches: boolean, signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const window = new AppendWindow(flight, from - 1, () => failed.abort());
    const forget = onDisconnect(this.#ends.region, () => window.fail(new Error("the connection was lost")));
    try {
      await this.#copy(from, window, takesBatches, AbortSignal.any([signal, failed.signal]));
    } finally {
      await window.drain(drainWaitMs);
      forget();
    }
    if (window.failed) throw window.failure;
  }

  async #copy(from: number, window: AppendWindow, takesBatches: boolean, ends: AbortSignal): Promise<void> {
    let next = from;
    // Spans go by a clock that nobody sets.
    let comparedAtMs = performance.now();
    let heardAtMs = Number.NEGATIVE_INFINITY;
    while (!ends.aborted) {
      const messages = this.#live.take(next);
      if (messages.length > 0) {
        if (!(await this.#append(window, next, messages, takesBatches))) return;
        next += messages.length;
        heardAtMs = performance.now();
      } else if (this.#live.waiting || performance.now() - heardAtMs >= this.#down.quietCheckMs) {
        next = await this.#fetch(next, window, takesBatches, ends);
        heardAtMs = performance.now();
      } else {
        // Twenty regions are told at once, and screening enforces what it hears live: the copy can wait.
        if (await this.#live.wake.wait(this.#down.quietCheckMs, ends)) await pause(liveGatherMs, ends);
      }
      if (performance.now() - comparedAtMs >= compareEveryMs) {
        await window.drain();
        if (window.failed || (await this.#plan(1)).kind !== "copy") return;
        comparedAtMs = performance.now();
      }
    }
  }

  /** @returns what comes next after everything that the hub had when it was asked */
  async #fetch(
    begin: number,
    window: AppendWindow,
    takesBatches: boolean,
    ends: AbortSignal,
  ): Promise<number> {
    const { last } = await this.#patience.ask((waitMs) =>
      streamRange(this.#ends.line, this.#down.info, waitMs),
    );
    this.#states.heard(this.#down.name, last);
    if (last < begin - 1) throw new Error(`the hub ends at ${last}, the region has message ${begin - 1}`);
    let next = begin;
    while (next <= last) {
      const from = next;
      const messages = await this.#patience.ask((waitMs) =>
        batchGet(this.#ends.line, this.#down.get, from, batchLimits.messagesMax, waitMs, (goesOn) =>
          this.#isLost(goesOn, ends),
        ),
      );
      if (messages.length === 0)
        throw new Error(`the hub gave nothing from ${next} on, though it has ${last}`);
      // Some of the batch was lost on its way, with the line: asked for again. A hub that really
      // begins later is found by #plan.
      const broken = messages.find(({ sequence }, index) => sequence !== next + index);
      if (broken !== undefined) throw new Error(`a batch goes on with ${broken.sequence}, after ${next}`);
      if (!(await this.#append(window, next, messages, takesBatches))) return next;
      next += messages.length;
    }
    return next;
  }

  /**
   * Whether the rest of a batch that is silent was lost with the line: a
   * question asked later was answered, or nobody is there. A batch given up too
   * early is asked for again while its rest still fills a narrow line.
   */
  async #isLost(goesOn: () => boolean, ends: AbortSignal): Promise<boolean> {
    const endMs = performance.now() + lostInAllMs;
    let waitMs = askWaitMs;
    while (!goesOn() && !ends.aborted && performance.now() < endMs) {
      try {
        await streamRange(this.#ends.line, this.#down.info, waitMs);
        break;
      } catch (error) {
        if (!isUnanswered(error)) break;
        waitMs = Math.min(2 * waitMs, lostAskWaitMaxMs);
      }
    }
    return !goesOn();
  }

  async #append(
    window: AppendWindow,
    sequence: number,
    messages: readonly CopiedMessage[],
    takesBatches: boolean,
  ): Promise<boolean> {
    const { subject } = this.#down;
    const renamed = messages.map(({ data }) => ({ subject, data }));
    return window.sendAll(this.#ends.region, sequence, renamed, takesBatches);
  }

  /**
   * Compares both ends; an empty copy is moved to where the hub begins, and one
   * that the snapshot overtakes to where that ends.
   *
   * @param window so many of the newest common messages are compared
   * @throws when one of the ends does not answer
   */
  async #plan(window: number): Promise<DownPlan> {
    const { stream, info, get, name } = this.#down;
    const region: Side = {
      connection: this.#ends.region,
      get: streamAsk.get(stream),
      info: streamAsk.info(stream),
    };
    const hub: Side = { connection: this.#ends.line, get, info };
    const here = await stateOf(region);
    const there = await this.#patience.ask((waitMs) => stateOf(hub, waitMs));
    this.#states.heard(name, there.last);
    const { takesBatches } = here;
    if (this.#snapshots !== undefined && here.last <= there.last) {
      const moved = moveOf(this.#snapshots.newest, here, there);
      if (moved !== undefined) {
        await moveStream(this.#ends.region, stream, moved);
        return { kind: "copy", from: moved + 1, takesBatches };
      }
    }
    const agree = await agreement(region, hub, { region: here, hub: there }, window);
    const plan = planCopy("down", there, here, agree);
    switch (plan.kind) {
      case "copy":
        return { ...plan, takesBatches };
      case "begin":
        await moveStream(this.#ends.region, stream, plan.at - 1);
        return { kind: "copy", from: plan.at, takesBatches };
      case "wait":
        return plan;
      case "fork":
        return { kind: "stopped", why: plan.detail };
      case "gap":
        return {
          kind: "stopped",
          why: `the hub begins at ${there.first}, the region needs message ${plan.from}`,
        };
      case "refill":
        throw new Error("a copy is never told to fill the hub up");
      default:
        return plan satisfies never;
    }
  }
}

type DownPlan =
  | { readonly kind: "copy"; readonly from: number; readonly takesBatches: boolean }
  | { readonly kind: "wait" | "stopped"; readonly why: string };
