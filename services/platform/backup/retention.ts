import { placeOf } from "./wal.ts";

/** A complete base backup. */
export interface Backup {
  /** `YYYYMMDDThhmmssZ`, when it was begun. */
  readonly label: string;
  /** The first WAL segment that it needs. */
  readonly firstSegment: string;
  /** Where the checkpoint is that it begins with, in bytes from the beginning of the log. */
  readonly checkpoint: bigint;
}

/** Label of a backup that is begun now. */
export function labelOf(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

const labelParts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** When a backup was begun, in ms since 1970; undefined: this is no label. */
export function beganAtMs(label: string): number | undefined {
  const [, year, month, day, hour, minute, second] = labelParts.exec(label) ?? [];
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/**
 * From the newest to the oldest. The log decides, and no clock: names of
 * segments grow with it, and with each timeline.
 */
export function newestFirst(backups: readonly Backup[]): Backup[] {
  return backups.toSorted((left, right) => (left.firstSegment > right.firstSegment ? -1 : 1));
}

/** Backups beyond the number that is kept. */
export function superfluous(backups: readonly Backup[], kept: number): Backup[] {
  return newestFirst(backups).slice(kept);
}

/** Where the WAL begins that some backup needs; undefined: there is none, and nothing says what is needed. */
export function neededFrom(backups: readonly Backup[]): string | undefined {
  // Not that of the oldest: after a return to an older backup a newer one may begin earlier in the log.
  return backups.map(({ firstSegment }) => placeOf(firstSegment)).toSorted()[0];
}

/**
 * When the next backup is due (ms since 1970).
 *
 * @param labels of all backups that are complete
 */
export function dueAtMs(labels: readonly string[], everyMs: number, nowMs: number): number {
  const times = labels.flatMap((label) => beganAtMs(label) ?? []).filter((atMs) => atMs <= nowMs);
  // A label of the future was written by a clock that went wrong: it puts nothing off.
  return times.length === 0 ? nowMs : Math.max(...times) + everyMs;
}
