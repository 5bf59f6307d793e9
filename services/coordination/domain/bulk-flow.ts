import { replicaSilenceMaxMs } from "#domain/receipts.ts";

/** Bulk messages of NATIONAL that a region may still have to apply before the next one is made. */
export const bulkAheadMax = 8;
/** A region that has bulk to apply and does not move for so long is waited for no more (ms). */
export const stillMaxMs = 5_000;

interface Replica {
  readonly sequence: number;
  readonly heardAtMs: number;
}

interface Region {
  readonly replicas: Map<string, Replica>;
  /** What all its ready replicas have applied. */
  reached: number;
  /** Since when it has neither moved nor had nothing to do. */
  stillSinceMs: number;
}

/**
 * Keeps bulk at most eight messages ahead of the slowest region that is
 * awaited: one that was heard within 30 s and goes on moving. What it is told
 * is for the pace alone; a wrong word costs a pause, never a row.
 */
export class BulkFlow {
  readonly #regions = new Map<string, Region>();
  /** Sequences of bulk messages that not every region has applied. */
  #bulk: number[] = [];
  readonly #behind = new Set<string>();

  /** A replica of a region says what it has applied. */
  heard(region: string, replica: string, sequence: number, ready: boolean, nowMs: number): void {
    const known = this.#regions.get(region) ?? { replicas: new Map(), reached: 0, stillSinceMs: nowMs };
    this.#regions.set(region, known);
    if (ready) known.replicas.set(replica, { sequence, heardAtMs: nowMs });
    else known.replicas.delete(replica);
    this.#settle(known, nowMs);
  }

  /** A bulk message was committed. */
  published(sequence: number, nowMs: number): void {
    for (const region of this.#regions.values()) if (this.#ahead(region) === 0) region.stillSinceMs = nowMs;
    this.#bulk.push(sequence);
  }

  /** Whether the next bulk message may be made. */
  mayGoOn(nowMs: number): boolean {
    let slowest = Infinity;
    let goesOn = true;
    for (const [name, region] of this.#regions) {
      this.#settle(region, nowMs);
      if (region.replicas.size === 0) {
        this.#behind.delete(name);
        continue;
      }
      const ahead = this.#ahead(region);
      const isStill = ahead > 0 && nowMs - region.stillSinceMs >= stillMaxMs;
      if (isStill) this.#behind.add(name);
      else this.#behind.delete(name);
      slowest = Math.min(slowest, region.reached);
      if (!isStill && ahead >= bulkAheadMax) goesOn = false;
    }
    // Of what a region behind has not applied, the newest few say enough.
    this.#bulk = this.#bulk.filter((sequence) => sequence > slowest).slice(-bulkAheadMax);
    return goesOn;
  }

  /** Regions that are not waited for, though they were heard, as of the last look. */
  get behind(): readonly string[] {
    return [...this.#behind].toSorted();
  }

  #ahead({ reached }: Region): number {
    return this.#bulk.filter((sequence) => sequence > reached).length;
  }

  #settle(region: Region, nowMs: number): void {
    for (const [name, { heardAtMs }] of region.replicas)
      if (nowMs - heardAtMs > replicaSilenceMaxMs) region.replicas.delete(name);
    if (region.replicas.size === 0) return;
    const reached = Math.min(...[...region.replicas.values()].map(({ sequence }) => sequence));
    if (reached !== region.reached) region.stillSinceMs = nowMs;
    region.reached = reached;
  }
}
