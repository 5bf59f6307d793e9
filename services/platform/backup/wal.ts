/**
 * Names of the files of the write-ahead log: eight hexadecimal digits each for
 * timeline, log and segment (PostgreSQL 18, 28.6 "WAL Internals"), with an
 * ending where it is not a whole segment.
 */

const segmentName = /^[0-9A-F]{24}$/;
const segmentOrItsParts = /^[0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?$/;
const timelineDigits = 8;
const nameDigits = 24;
/** Bytes that one log spans, whatever the size of its segments. */
const logBytes = 0x1_0000_0000;

/** Thrown for a label that is not of the form that PostgreSQL writes. */
export class LabelUnreadable extends Error {
  override readonly name = "LabelUnreadable";
}

/**
 * The first segment that a backup needs, from its `backup_label`.
 *
 * @throws LabelUnreadable
 */
export function firstSegmentOf(label: string): string {
  const [, name] = /^START WAL LOCATION: [0-9A-F]+\/[0-9A-F]+ \(file ([0-9A-F]{24})\)$/m.exec(label) ?? [];
  if (name === undefined) throw new LabelUnreadable("backup_label does not name its first WAL segment");
  return name;
}

/**
 * Where the checkpoint is that a backup begins with, from its `backup_label`, in bytes.
 *
 * @throws LabelUnreadable
 */
export function checkpointOf(label: string): bigint {
  const [, text = ""] = /^CHECKPOINT LOCATION: (\S+)$/m.exec(label) ?? [];
  const location = locationIn(text);
  if (location === undefined) throw new LabelUnreadable("backup_label does not name its checkpoint");
  return location;
}

/** A place in the log as PostgreSQL writes it, such as `0/2000080`, in bytes from its beginning; undefined: it is none. */
export function locationIn(text: string): bigint | undefined {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) return undefined;
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** The timeline that a segment belongs to. */
export const timelineOf = (segment: string): number => Number.parseInt(segment.slice(0, timelineDigits), 16);

/** Where a segment is in the log: the same on every timeline, and greater for what was written later. */
export const placeOf = (segment: string): string => segment.slice(timelineDigits, nameDigits);

/**
 * Names of the segments from `first` to `last`, both included.
 *
 * @param segmentBytes of one segment, as the server was initialised
 * @throws RangeError unless both are segments of one timeline, in this order
 */
export function segmentsBetween(first: string, last: string, segmentBytes: number): string[] {
  const timeline = first.slice(0, timelineDigits);
  if (!segmentName.test(first) || !segmentName.test(last) || !last.startsWith(timeline) || last < first) {
    throw new RangeError(`no segments lead from ${first} to ${last}`);
  }
  const segmentsPerLog = logBytes / segmentBytes;
  const numberOf = (name: string) =>
    Number.parseInt(name.slice(8, 16), 16) * segmentsPerLog + Number.parseInt(name.slice(16), 16);
  const from = numberOf(first);
  return Array.from({ length: numberOf(last) - from + 1 }, (_, index) => {
    const log = Math.floor((from + index) / segmentsPerLog);
    const segment = (from + index) % segmentsPerLog;
    return timeline + [log, segment].map((part) => part.toString(16).toUpperCase().padStart(8, "0")).join("");
  });
}

/**
 * Files of the archive that are needed by no backup which begins at `place` or
 * later. Histories of timelines are kept, and so is whatever is no WAL.
 */
export function segmentsBefore(files: readonly string[], place: string): string[] {
  return files.filter((file) => segmentOrItsParts.test(file) && placeOf(file) < place);
}
