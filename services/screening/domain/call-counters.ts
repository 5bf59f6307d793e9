import { isTrunkId } from "#domain/trunk.ts";
import type { AnsweredCall, Count, Counters } from "#proto/qalqan/events/v1/events.ts";

/** Limits of the counters; named in config.ts. */
export interface CounterLimits {
  readonly callsPerFlushMax: number;
  readonly minutesPerFlushMax: number;
  readonly callsWaitingMax: number;
  readonly countsPerMinuteMax: number;
}

/** What a question is counted by. */
export type Counted = Omit<Count, "questions">;

interface Minute {
  readonly counts: Map<string, Count>;
  /** Flush that carried it last, as it is now; 0: none. */
  flushed: number;
}

const minuteMs = 60_000;

/**
 * Counters of one source (replica and boot), cumulative per minute: a flush
 * that is repeated, or that a later one overtakes, changes nothing. A minute
 * is forgotten when it is over and its last value has been flushed.
 */
export class CallCounters {
  readonly #region: string;
  readonly #source: string;
  readonly #limits: CounterLimits;
  readonly #minutes = new Map<number, Minute>();
  #calls: AnsweredCall[] = [];
  #flush = 0;
  #droppedCalls = 0;

  constructor(region: string, source: string, limits: CounterLimits) {
    this.#region = region;
    this.#source = source;
    this.#limits = limits;
  }

  /** Answered calls that could not wait any longer and are missing from the flushes. */
  get droppedCalls(): number {
    return this.#droppedCalls;
  }

  /** How many answered calls wait for the next flush. */
  get waitingCalls(): number {
    return this.#calls.length;
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0 && [...this.#minutes.values()].every(({ flushed }) => flushed > 0);
  }

  /** Counts one question answered now, and names its call. */
  add(counted: Counted, call: Omit<AnsweredCall, "minute">, nowMs: number): void {
    const number = Math.floor(nowMs / minuteMs);
    const minute = this.#minutes.get(number) ?? { counts: new Map<string, Count>(), flushed: 0 };
    this.#minutes.set(number, minute);
    minute.flushed = 0;
    this.#countIn(minute.counts, counted);
    if (this.#calls.length >= this.#limits.callsWaitingMax) {
      // A whole flush at once: dropping one by one would move all others each time.
      this.#calls = this.#calls.slice(this.#limits.callsPerFlushMax);
      this.#droppedCalls += this.#limits.callsPerFlushMax;
    }
    this.#calls.push({ ...call, minute: number });
  }

  #countIn(counts: Map<string, Count>, counted: Counted): void {
    // A switch may send any text as a trunk: what is no trunk's name is counted without it.
    const trunk =
      isTrunkId(counted.trunk) && counts.size < this.#limits.countsPerMinuteMax ? counted.trunk : "";
    const { verdict, reason, mode, decision } = counted;
    const key = `${verdict}|${reason}|${trunk}|${mode}|${decision}`;
    const count = counts.get(key);
    if (count === undefined) counts.set(key, { verdict, reason, trunk, mode, decision, questions: 1 });
    else count.questions += 1;
  }

  /** The next flush: what changed since the last, within the limits. Flushes must be stored in this order. */
  take(nowMs: number): Counters {
    this.#flush += 1;
    const current = Math.floor(nowMs / minuteMs);
    const minutes: Counters["minutes"] = [];
    for (const [minute, state] of this.#minutes) {
      if (state.flushed > 0) {
        if (minute < current) this.#minutes.delete(minute);
      } else if (minutes.length < this.#limits.minutesPerFlushMax) {
        minutes.push({ minute, counts: [...state.counts.values()].map((count) => ({ ...count })) });
        state.flushed = this.#flush;
      }
    }
    const calls = this.#calls.slice(0, this.#limits.callsPerFlushMax);
    this.#calls = this.#calls.slice(calls.length);
    return { region: this.#region, source: this.#source, flush: this.#flush, minutes, calls };
  }
}
