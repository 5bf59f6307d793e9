/** What became of the key of a region's line, in the order of time. */
export interface KeyChange {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly change: "revoked" | "renewed";
}

/** Whether the region has no key for its line now. */
export function isRevoked(changes: readonly KeyChange[]): boolean {
  return changes.at(-1)?.change === "revoked";
}

/**
 * Whether a message that the hub stored then is refused, since the region's key
 * was revoked and no other given yet. The hub's own stamp decides, which no
 * region can set; what was stored before stays valid.
 */
export function isRefusedAt(changes: readonly KeyChange[], storedAtMs: number): boolean {
  return changes.findLast(({ atMs }) => atMs <= storedAtMs)?.change === "revoked";
}
