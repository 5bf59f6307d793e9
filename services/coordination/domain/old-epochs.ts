import { wholeEpochs, type Lane } from "#proto/names.ts";

/** An epoch in which nothing was written for so long, and that its region has left, is over (ms): 30 days. */
const leftMsMax = 30 * 24 * 3_600_000;

/** How far a lane of a region was read in an epoch. */
export interface ReadLane {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly sequence: number;
}

/** How many later epochs its region has opened: an opened one has messages in both lanes. */
export function openedSince(
  { region, epoch }: Pick<ReadLane, "region" | "epoch">,
  read: readonly ReadLane[],
): number {
  const later = read.filter((each) => each.region === region && each.epoch > epoch && each.sequence > 0);
  const epochs = later.map((each) => each.epoch);
  return epochs.filter((each, index) => epochs.indexOf(each) < index).length;
}

/**
 * Whether an epoch of a region is over. Never the one that the region is in,
 * nor, before they have been still for long, the two before it: the region
 * keeps these too, and feeds what is late in them
 * (services/replication/domain/epoch.ts). An empty lane was not still: after the
 * hub lost its store, all of it may yet be copied into it.
 *
 * @param newer epochs that the region has opened since
 * @param lane its last message (0: none), and when that was stored
 */
export function isOver(
  newer: number,
  { last, lastAtMs }: { readonly last: number; readonly lastAtMs: number },
  nowMs: number,
): boolean {
  return newer >= wholeEpochs - 1 || (newer > 0 && last > 0 && nowMs - lastAtMs >= leftMsMax);
}

/** A lane of an epoch that is over, at the hub. */
export interface OldLane {
  /** Up to here it was read. */
  readonly applied: number;
  readonly last: number;
  readonly bytes: number;
  readonly bytesMax: number;
}

/**
 * Whether its place can be given back: all of it was read, and what is still in
 * it, such as messages that no seal covers and no archive takes, fills no more
 * than half of what it gets instead.
 */
export function mayShrink({ applied, last, bytes, bytesMax }: OldLane, smallBytesMax: number): boolean {
  return applied >= last && 2 * bytes <= smallBytesMax && bytesMax > smallBytesMax;
}
