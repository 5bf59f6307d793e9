/** How far the capital has read a lane, and what stood there. */
export interface ReadUpTo {
  readonly sequence: number;
  /** `leafHash` of the message there; undefined: it is not known. */
  readonly leaf: Uint8Array | undefined;
}

/** The lane as the hub has it now. */
export interface LaneAtHub {
  readonly last: number;
  /** `leafHash` of the message at the watermark; undefined: the hub does not keep it. */
  readonly leaf: Uint8Array | undefined;
}

/** `shorter`: it ends before what was read of it. `replaced`: another message stands there. */
export type OtherLane = "shorter" | "replaced";

/**
 * Whether a lane at the hub is another one than was read. A hub that came back
 * older ends before the watermark: the region feeds it again, with the same
 * messages or, where its own store came back older too, with others, which may
 * have come up to the watermark by the time that somebody looks.
 *
 * @returns undefined: it is the same as far as anybody can tell
 */
export function otherLane(read: ReadUpTo, hub: LaneAtHub): OtherLane | undefined {
  if (read.sequence === 0) return undefined;
  if (hub.last < read.sequence) return "shorter";
  if (read.leaf === undefined || hub.leaf === undefined) return undefined;
  return Buffer.compare(read.leaf, hub.leaf) === 0 ? undefined : "replaced";
}
