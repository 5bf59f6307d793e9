import type { Applied } from "#proto/qalqan/events/v1/events.ts";

/** Streams whose messages a receipt proves to be applied. */
export type AppliedStream = "NATIONAL" | "EVENTS" | "URGENT";

/** What was applied since the previous receipt. Bounded: beyond the limit the first and the last of each stream stay. */
export class AppliedLog {
  readonly #max: number;
  readonly #first = new Map<AppliedStream, Applied>();
  readonly #last = new Map<AppliedStream, Applied>();
  #all: Applied[] = [];
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(stream: AppliedStream, sequence: number, atMs: number): void {
    const applied = { stream, sequence, atMs };
    if (!this.#first.has(stream)) this.#first.set(stream, applied);
    this.#last.set(stream, applied);
    this.#count += 1;
    if (this.#count <= this.#max) this.#all.push(applied);
    else this.#all = [];
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Gives what was noted, and begins anew. */
  take(): Applied[] {
    const taken = this.#count <= this.#max ? this.#all : this.#ends();
    this.#all = [];
    this.#count = 0;
    this.#first.clear();
    this.#last.clear();
    return taken;
  }

  /** Gives what was noted of NATIONAL, and keeps the rest. */
  takeNational(): Applied[] {
    const taken = this.take();
    for (const { stream, sequence, atMs } of taken)
      if (stream !== "NATIONAL") this.add(stream === "URGENT" ? "URGENT" : "EVENTS", sequence, atMs);
    return taken.filter(({ stream }) => stream === "NATIONAL");
  }

  /** Forgets what was applied of the region's own lanes. */
  forgetLanes(): void {
    const kept = this.take().filter(({ stream }) => stream === "NATIONAL");
    for (const { sequence, atMs } of kept) this.add("NATIONAL", sequence, atMs);
  }

  #ends(): Applied[] {
    return [...this.#first].flatMap(([stream, first]) => {
      const last = this.#last.get(stream) ?? first;
      return last === first ? [first] : [first, last];
    });
  }
}
