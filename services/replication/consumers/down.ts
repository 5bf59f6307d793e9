import { batchGet, streamRange } from "#platform/batch-get.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import { hubAsk, hubSubject, regionStream, regionSubject, streamAsk } from "#proto/names.ts";
import { AppendWindow } from "../append-window.ts";
import {
  askWaitMs,
  awayPollMs,
  compareEveryMs,
  flight,
  liveBytesMax,
  liveMessagesMax,
  quietCheckMs,
} from "../config.ts";
import type { Ends } from "../ends.ts";
import { compareAt, Forked } from "../fork.ts";
import type { LaneStates } from "../lane-states.ts";
import { LiveMessages } from "../live-messages.ts";
import { moveOf, moveStream } from "../national-move.ts";
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
    },
    {
      name: "down for",
      stream: regionStream.forRegion(capitalEpoch),
      subject: regionSubject.forRegion(capitalEpoch),
      get: hubAsk.getFor(capitalEpoch),
      info: hubAsk.infoFor(capitalEpoch),
      live: hubSubject.live(hubSubject.forRegionAll(region, capitalEpoch)),
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
  readonly #snapshots: SnapshotCopy | undefined;
  readonly #live = new LiveMessages({ messagesMax: liveMessagesMax, bytesMax: liveBytesMax });

  /** @param snapshots from which the copy may go on, where the stream has any */
  constructor(ends: Ends, down: DownStream, states: LaneStates, snapshots?: SnapshotCopy) {
    this.#ends = ends;
    this.#down = down;
    this.#states = states;
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
    } catch (error) {
      if (!(error instanceof Forked)) throw error;
      this.#states.set(this.#down.name, "stopped", error.message);
      await untilAborted(signal);
    } finally {
      subscription.unsubscribe();
    }
  }

  /** Copies until something fails: then what is on its way ends, and the next attempt begins at the copy's end. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const window = new AppendWindow(flight, () => failed.abort());
    try {
      const last = await this.#compareEnds();
      this.#states.set(this.#down.name, "copying", "");
      await this.#copy(last + 1, window, AbortSignal.any([signal, failed.signal]));
      if (window.failed) throw window.failure;
    } catch (error) {
      if (error instanceof Forked) throw error;
      this.#states.set(this.#down.name, "away", String(error));
      await pause(awayPollMs, signal);
    } finally {
      await window.drain();
    }
  }

  async #copy(from: number, window: AppendWindow, ends: AbortSignal): Promise<void> {
    let next = from;
    let comparedAtMs = Date.now();
    let heardAtMs = 0;
    while (!ends.aborted) {
      const message = this.#live.take(next);
      if (message !== undefined) {
        if (!(await this.#append(window, message.sequence, message.data))) return;
        next += 1;
        heardAtMs = Date.now();
      } else if (this.#live.waiting || Date.now() - heardAtMs >= quietCheckMs) {
        next = await this.#fetch(next, window);
        heardAtMs = Date.now();
      } else {
        await this.#live.wake.wait(quietCheckMs, ends);
      }
      if (Date.now() - comparedAtMs >= compareEveryMs) {
        await window.drain();
        if (!window.failed) await this.#compareEnds();
        comparedAtMs = Date.now();
      }
    }
  }

  /** @returns what comes next after everything that the hub had when it was asked */
  async #fetch(from: number, window: AppendWindow): Promise<number> {
    const { last } = await streamRange(this.#ends.line, this.#down.info, askWaitMs);
    if (last < from - 1) throw new Forked(`the hub ends at ${last}, the region has message ${from - 1}`);
    let next = from;
    while (next <= last) {
      const messages = await batchGet(this.#ends.line, this.#down.get, next);
      if (messages.length === 0)
        throw new Error(`the hub gave nothing from ${next} on, though it has ${last}`);
      for (const { sequence, data } of messages) {
        // Some of the batch was lost on its way, with the line: asked for again. A hub that really
        // begins later is found by #compareEnds.
        if (sequence !== next)
          throw new Error(`a batch goes on with ${sequence} where the region needs ${next}`);
        if (!(await this.#append(window, sequence, data))) return next;
        next += 1;
      }
    }
    return next;
  }

  async #append(window: AppendWindow, sequence: number, data: Uint8Array): Promise<boolean> {
    const { subject } = this.#down;
    return window.sendAll(this.#ends.region, sequence, [{ subject, data }], false);
  }

  /**
   * Compares both ends at the copy's last message; an empty copy is moved to
   * where the hub begins.
   *
   * @returns the copy's last sequence
   * @throws Forked, or that one of the ends does not answer
   */
  async #compareEnds(): Promise<number> {
    const { stream, info, get } = this.#down;
    const here = await streamRange(this.#ends.region, streamAsk.info(stream), askWaitMs);
    const there = await streamRange(this.#ends.line, info, askWaitMs);
    if (here.last > there.last) {
      throw new Forked(`the hub ends at ${there.last}, the region has message ${here.last}`);
    }
    if (this.#snapshots !== undefined) {
      const moved = moveOf(this.#snapshots.newest, here, there);
      if (moved !== undefined) {
        await moveStream(this.#ends.region, stream, moved);
        return moved;
      }
    } else if (here.last === 0 && there.first > 1) {
      await moveStream(this.#ends.region, stream, there.first - 1);
      return there.first - 1;
    }
    if (here.last + 1 < there.first) {
      throw new Forked(`the hub begins at ${there.first}, the region needs message ${here.last + 1}`);
    }
    await compareAt(this.#ends, streamAsk.get(stream), get, here.last);
    return here.last;
  }
}
