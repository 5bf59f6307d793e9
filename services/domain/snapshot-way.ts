/** What a snapshot of the national table offers. */
export interface OfferedSnapshot {
  /** Sequence of NATIONAL after which it is true. */
  readonly sequence: number;
  /** Messages that it is stored in. */
  readonly chunks: number;
}

/**
 * Whether to go on from a snapshot rather than from the messages of NATIONAL:
 * because the next message is no longer kept, or since the snapshot has fewer
 * messages than the way to it.
 *
 * @param reached sequence of NATIONAL that is there already; 0: none
 * @param first first message of NATIONAL that is kept where it would be read
 */
export function isSnapshotShorter(offered: OfferedSnapshot, reached: number, first: number): boolean {
  const { sequence, chunks } = offered;
  // One that is older, or after which messages are missing, leads nowhere.
  if (sequence <= reached || sequence + 1 < first) return false;
  return reached + 1 < first || sequence - reached > chunks;
}
