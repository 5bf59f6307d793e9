/** What a stream holds, and what is still wanted of it. */
export interface Retained {
  readonly first: number;
  readonly last: number;
  /** Everybody who needs the stream has what comes up to here. */
  readonly done: number;
  /** Last message that is older than the retention; 0: none is. */
  readonly aged: number;
  /** So many messages stay, however old. */
  readonly keptMessages: number;
  /** The stream is close to its largest size: its messages need not be old to go. */
  readonly isFull: boolean;
}

/** A stream that is so full lets go of what is done, whatever its age (share of its largest size). */
export const fullShare = 0.8;

/**
 * Up to which message a stream may be trimmed: what everybody has, is old
 * enough, and is not among the newest. Age is for those who come back older
 * than they were, restored from a backup.
 *
 * @returns undefined: nothing can go
 */
export function trimUpTo({ first, last, done, aged, keptMessages, isFull }: Retained): number | undefined {
  const upTo = Math.min(done, last - keptMessages, isFull ? done : aged);
  return upTo >= first ? upTo : undefined;
}
