import type { Backup } from "./retention.ts";
import { locationIn, timelineOf } from "./wal.ts";

/** A timeline that a later one comes from, and where in the log that one left it. */
export interface Ancestor {
  readonly timeline: number;
  /** Bytes from the beginning of the log. */
  readonly leftAt: bigint;
}

/** What each timeline but the first comes from. */
export type Histories = ReadonlyMap<number, readonly Ancestor[]>;

const historyName = /^([0-9A-F]{8})\.history$/;

/** The timeline whose history this file is; undefined: it is none. */
export function timelineOfHistory(file: string): number | undefined {
  const [, digits] = historyName.exec(file) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** Reads such a file: parent, where it was left, and why, a line each (PostgreSQL 18, 25.3.6). */
export function ancestorsIn(history: string): Ancestor[] {
  return history.split("\n").flatMap((line) => {
    const [timeline = "", at = ""] = line.split("\t");
    const leftAt = locationIn(at);
    return /^\d+$/.test(timeline) && leftAt !== undefined ? [{ timeline: Number(timeline), leftAt }] : [];
  });
}

/**
 * Whether the log leads from a base backup to a timeline: it was made on that
 * one, or on one that it comes from, before that was left. From any other
 * PostgreSQL refuses to recover.
 *
 * @param wanted the newest that can be reached from the backup's own when undefined, as PostgreSQL finds it
 */
export function leadsTo(backup: Backup, wanted: number | undefined, histories: Histories): boolean {
  const own = timelineOf(backup.firstSegment);
  const to = wanted ?? newestAfter(own, histories);
  if (own === to) return true;
  const left = histories.get(to)?.find(({ timeline }) => timeline === own);
  return left !== undefined && backup.checkpoint < left.leftAt;
}

/** Numbers of timelines follow each other: after the first that is missing nobody looks for more. */
function newestAfter(timeline: number, histories: Histories): number {
  let newest = timeline;
  while (histories.has(newest + 1)) newest += 1;
  return newest;
}
