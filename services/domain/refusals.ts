/** Something that was refused, and may be tried again and again. */
export interface Refused {
  readonly actor: string;
  /** Slug; empty: it is not known whose it was. */
  readonly region: string;
  readonly what: string;
  /** What of it stays the same each time; the audit's detail. */
  readonly detail: Readonly<Record<string, string | number>>;
}

/** What the audit is told of one kind: how often it was since the line before. */
export interface RefusedLine {
  readonly actor: string;
  readonly role: string;
  readonly region: string;
  readonly what: string;
  /** JSON, with `count`. */
  readonly detail: string;
}

interface Kept {
  /** The first one of those that are not in the audit yet. */
  refused: Refused;
  /** Not in the audit yet. */
  count: number;
  /** When the audit is told next, at the earliest. */
  dueAtMs: number;
  /** How long it is summed up after that. */
  sumForMs: number;
  lastAtMs: number;
}

/** Kinds that are kept apart; what comes beyond them is one kind more. */
const kindsMax = 256;
/** After a kind was told it is summed up for so long before it is told again, each time twice as long (ms). */
const firstSumMs = 1_000;
const sumMaxMs = 3_600_000;
/** A kind that was not seen for so long is over (ms). */
export const refusalOverMs = 3_600_000;

/**
 * What was refused, kind by kind: the first of a kind goes into the audit at
 * once, further ones as sums, ever more seldom while it goes on, so that a flood
 * of refusals is no flood of the audit. A crash loses the sum that is not told
 * yet; the stream, or the hub's log, has them all.
 */
export class Refusals {
  readonly #kept = new Map<string, Kept>();

  /** @param key names the kind */
  note(key: string, refused: Refused, count: number, nowMs: number): void {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      if (known.count === 0) known.refused = refused;
      known.count += count;
      known.lastAtMs = nowMs;
      return;
    }
    const isFull = this.#kept.size >= kindsMax;
    const { what } = refused;
    if (isFull && key !== what)
      return this.note(what, { ...refused, actor: "", region: "", detail: {} }, count, nowMs);
    this.#kept.set(key, { refused, count, dueAtMs: nowMs, sumForMs: firstSumMs, lastAtMs: nowMs });
  }

  /** Lines that the audit is due; they count as written. */
  due(nowMs: number): RefusedLine[] {
    const lines: RefusedLine[] = [];
    for (const [key, kept] of this.#kept) {
      if (kept.count > 0 && nowMs >= kept.dueAtMs) {
        const { actor, region, what, detail } = kept.refused;
        lines.push({
          actor,
          role: "",
          region,
          what,
          detail: JSON.stringify({ ...detail, count: kept.count }),
        });
        kept.count = 0;
        kept.dueAtMs = nowMs + kept.sumForMs;
        kept.sumForMs = Math.min(kept.sumForMs * 2, sumMaxMs);
      }
      if (kept.count === 0 && nowMs - kept.lastAtMs > refusalOverMs) this.#kept.delete(key);
    }
    return lines;
  }

  /** What was refused within the last hour. */
  recent(): readonly Refused[] {
    return [...this.#kept.values()].map(({ refused }) => refused);
  }
}
