import { refeedToken } from "#proto/names.ts";
import type { ForkWhy, StreamEnd } from "./copy.ts";

/** How far a region's epochs have come, in the region and at the hub. */
export interface EpochKnowledge {
  /** Highest epoch whose lanes both say `epochOpened` in the region; 1 when none does. */
  readonly opened: number;
  /** Highest epoch of which the region holds a lane. */
  readonly created: number;
  /** Highest epoch of which the hub holds a message; 0: of none. */
  readonly hubUsed: number;
}

export type EpochPlan =
  /** Go on in this epoch. */
  | { readonly kind: "stay"; readonly epoch: number }
  /** Open this epoch, or go on opening it. The region's producers were in `previous` until now. */
  | { readonly kind: "open"; readonly epoch: number; readonly previous: number; readonly why: ForkWhy };

/**
 * Which epoch the region's lanes are to be in. Both lanes change together, so
 * a fork of one is a fork of the region.
 *
 * @param fork what a comparison of the lanes has found; undefined: nothing
 */
export function planEpoch(
  { opened, created, hubUsed }: EpochKnowledge,
  fork: ForkWhy | undefined,
): EpochPlan {
  // The hub knows an epoch that the region does not: its store is an older one.
  const why = fork ?? (hubUsed > opened ? "store-restored" : "diverged");
  // An opening that was interrupted goes on, unless the hub has heard of that epoch: then it was
  // opened once, and what stands in the region is an older copy.
  if (created > opened && created > hubUsed) return { kind: "open", epoch: created, previous: opened, why };
  if (hubUsed <= opened && fork === undefined) return { kind: "stay", epoch: opened };
  return { kind: "open", epoch: Math.max(opened, created, hubUsed) + 1, previous: opened, why };
}

/** Both ends of one lane in one epoch. */
export interface EpochEnds {
  readonly epoch: number;
  /** Undefined: the region has no such stream. */
  readonly region: StreamEnd | undefined;
  /** Undefined: the hub has no such stream. */
  readonly hub: StreamEnd | undefined;
  /** Last sequence of their common history. */
  readonly common: number;
}

/** Messages of one end that are fed again into the new epoch, in order. */
export interface Segment {
  readonly end: "hub" | "region";
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/**
 * What one lane's new epoch begins with: what the hub has and the region lost,
 * then what the region has and the hub will never take in the old epoch. Which
 * messages of a segment are fed is said by `refedAs`.
 *
 * @param epochs from the one that the region was in to the highest that is used, in order
 */
export function planBlock(epochs: readonly EpochEnds[]): readonly Segment[] {
  const after = (end: "hub" | "region"): Segment[] =>
    epochs.flatMap((ends) => {
      const kept = ends[end];
      if (kept === undefined) return [];
      const from = Math.max(kept.first, ends.common + 1);
      return from <= kept.last ? [{ end, epoch: ends.epoch, from, to: kept.last }] : [];
    });
  return [...after("hub"), ...after("region")];
}

/**
 * Under which subject a message is fed again. From the hub only what `centre`
 * wrote: its people's work may be missing in the region's PostgreSQL, all else
 * is at the capital already. From the region everything but what replication
 * says of the old epoch itself, and lists of alarms, which speak of a moment.
 *
 * @param rest subject after lane and epoch: `producer.type`, or `refeed.producer.type`
 * @returns subject after lane and new epoch; undefined: it is not fed
 */
export function refedAs(end: "hub" | "region", rest: string): string | undefined {
  const own = originalOf(rest);
  const [producer, type] = own.split(".");
  const isFed =
    end === "hub"
      ? producer === "centre" && type !== "alarms"
      : producer !== "replication" && type !== "alarms";
  return isFed ? `${refeedToken}.${own}` : undefined;
}

/** Old epochs that a region keeps, whatever is in them: its storage has room for these, the opened one and the next. */
export const oldEpochsKept = 2;

/**
 * Old epochs that may go once the hub has everything of them, the oldest first.
 *
 * @param kept of which the region holds a lane
 */
export function mayGo(kept: readonly number[], opened: number): readonly number[] {
  const old = kept.filter((epoch) => epoch < opened).toSorted((left, right) => left - right);
  return old.slice(0, Math.max(0, old.length - oldEpochsKept));
}

/** What an opening says of the epoch in which the region was before it. */
export interface OpenedAfter {
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly regionLast: number;
}

/**
 * Last message of an old epoch with which a later one began; what comes after
 * it is late.
 *
 * @param openings of the epochs that the region keeps, of one lane
 * @returns undefined: no opening tells of it
 */
export function fedUpTo(old: number, openings: readonly OpenedAfter[]): number | undefined {
  return openings
    .filter(({ previousEpoch }) => previousEpoch === old)
    .toSorted((left, right) => right.epoch - left.epoch)
    .at(0)?.regionLast;
}

/** `producer.type` as it was first written, however often it was fed again. */
export function originalOf(rest: string): string {
  const token = `${refeedToken}.`;
  return rest.startsWith(token) ? rest.slice(token.length) : rest;
}

/** A message's place in its lane and the number that its producer gave it. */
export interface NumberedMessage {
  /** Subject after lane and epoch. */
  readonly rest: string;
  readonly outbox: number;
}

/**
 * The highest number that each producer has used, so that the new epoch goes
 * on after it.
 *
 * @param messages at least the last one of each subject, of both ends
 * @param before marks of the epochs before
 */
export function producerMarks(
  messages: Iterable<NumberedMessage>,
  before: ReadonlyMap<string, number> = new Map(),
): ReadonlyMap<string, number> {
  const marks = new Map(before);
  for (const { rest, outbox } of messages) {
    const [producer = ""] = originalOf(rest).split(".");
    marks.set(producer, Math.max(marks.get(producer) ?? 0, outbox));
  }
  return marks;
}
