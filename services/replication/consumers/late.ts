import { createHash } from "node:crypto";
import { publishBatch } from "#platform/append.ts";
import { lastOfSubject } from "#platform/batch-get.ts";
import { openingOf, type OpenedLane } from "#platform/epochs.ts";
import { follow, StreamGap, type StoredMessage } from "#platform/follow.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import { regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { commonHistory, stateOf } from "../compare.ts";
import { askWaitMs, awayPollMs } from "../config.ts";
import { fedUpTo, refedAs } from "../domain/epoch.ts";
import type { Ends } from "../ends.ts";
import { laneSides } from "./up.ts";

/**
 * Feeds what is still written into a lane's old epochs, and whatever of it a
 * later epoch has lost, into the one that is opened: a producer that has not
 * heard of the new epoch yet loses nothing. Every old epoch is followed, since
 * what was fed into the one after it may be gone with a store that came back
 * older.
 */
export class LateFeeder {
  readonly #ends: Ends;
  readonly #lane: Lane;
  readonly #epoch: number;
  readonly #old: readonly number[];
  /** Last message of each old epoch that was looked at. */
  readonly #looked = new Map<number, number>();
  #last = 0;
  #known: Promise<Set<string>> | undefined;
  #before: Promise<unknown> = Promise.resolve();

  /**
   * @param epoch that is opened
   * @param old epochs of this lane that the region keeps beside it
   */
  constructor(ends: Ends, lane: Lane, epoch: number, old: readonly number[]) {
    this.#ends = ends;
    this.#lane = lane;
    this.#epoch = epoch;
    this.#old = old;
  }

  /** Last message of an old epoch that was looked at; undefined: none was yet. */
  looked(old: number): number | undefined {
    return this.#looked.get(old);
  }

  /** Last message of the opened epoch with which something of the old ones was fed. */
  get last(): number {
    return this.#last;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#old.map((old) => this.#keepFeeding(old, signal)));
  }

  async #keepFeeding(old: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#feed(old, signal);
      } catch (error) {
        // It was trimmed or is gone: nobody writes there any more.
        if (error instanceof StreamGap) return untilAborted(signal);
        if (error instanceof TypeError) throw error;
        await pause(awayPollMs, signal);
      }
    }
  }

  async #feed(old: number, signal: AbortSignal): Promise<void> {
    const stream = regionStream.lane(this.#lane, old);
    const after = await this.#fedUpTo(old);
    this.#looked.set(old, after);
    const prefix = regionSubject.laneAll(this.#lane, old).length - 1;
    for await (const { sequence, subject, data } of follow(this.#ends.region, stream, after, signal)) {
      const rest = refedAs("region", subject.slice(prefix));
      if (rest !== undefined) await this.#inTurn(() => this.#append(rest, data, signal));
      this.#looked.set(old, sequence);
    }
  }

  /** Last message of an old epoch that the beginning of a later one has. */
  async #fedUpTo(old: number): Promise<number> {
    const openings: OpenedLane[] = [];
    for (const epoch of [...this.#old, this.#epoch]) {
      const opening = await openingOf(this.#ends.region, this.#lane, epoch);
      if (opening !== undefined) openings.push(opening);
      if (epoch === this.#epoch) this.#last = Math.max(this.#last, opening?.sequence ?? 0);
    }
    const told = fedUpTo(
      old,
      openings.map(({ opened }) => opened),
    );
    if (told !== undefined) return told;
    // It was no region's epoch when the later one was opened: what is common with the hub is there.
    const sides = laneSides(this.#ends, this.#lane, old);
    const [region, hub] = await Promise.all([stateOf(sides.region), stateOf(sides.hub)]);
    return commonHistory(sides.region, sides.hub, { region, hub });
  }

  /** One append at a time: each names the last one. */
  async #inTurn(append: () => Promise<void>): Promise<void> {
    const appended = this.#before.then(append, append);
    this.#before = appended.catch(() => undefined);
    await appended;
  }

  /** @param rest subject after lane and epoch */
  async #append(rest: string, data: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#known ??= this.#fedAlready(signal);
    const known = await this.#known.catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    const hash = hashOf(data);
    if (known.has(hash)) return;
    const get = streamAsk.get(regionStream.lane(this.#lane, this.#epoch));
    const refeeds = regionSubject.refeedAll(this.#lane, this.#epoch);
    const last = await lastOfSubject(this.#ends.region, get, refeeds, askWaitMs);
    // An append whose answer was lost: we alone feed again.
    const isThere = last !== undefined && hashOf(last.data) === hash;
    const expectation = {
      "Nats-Expected-Last-Subject-Sequence": String(last?.sequence ?? 0),
      "Nats-Expected-Last-Subject-Sequence-Subject": refeeds,
    };
    const message = { subject: regionSubject.inLane(this.#lane, this.#epoch, rest), data };
    const sequence = isThere
      ? last.sequence
      : await publishBatch(this.#ends.region, [message], expectation, askWaitMs);
    this.#last = Math.max(this.#last, sequence);
    known.add(hash);
  }

  /** What was fed again into any of these epochs. */
  async #fedAlready(signal: AbortSignal): Promise<Set<string>> {
    const known = new Set<string>();
    for (const epoch of [...this.#old, this.#epoch]) {
      for await (const { sequence, data } of this.#refeedsOf(epoch, signal)) {
        known.add(hashOf(data));
        if (epoch === this.#epoch) this.#last = Math.max(this.#last, sequence);
      }
    }
    return known;
  }

  /** The messages of an epoch that were fed again, up to the last one that is there now. */
  async *#refeedsOf(epoch: number, signal: AbortSignal): AsyncGenerator<StoredMessage> {
    const stream = regionStream.lane(this.#lane, epoch);
    const subjects = regionSubject.refeedAll(this.#lane, epoch);
    const last = await lastOfSubject(this.#ends.region, streamAsk.get(stream), subjects, askWaitMs);
    if (last === undefined) return;
    for await (const message of follow(this.#ends.region, stream, 0, signal, subjects)) {
      yield message;
      if (message.sequence >= last.sequence) return;
    }
    throw signal.reason;
  }
}

function hashOf(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("base64");
}
