import { randomFrom } from "../../../services/cli/faults/schedule.ts";
import type { Trace } from "./trace.ts";

/** What a process waits for: it is resumed with the value that comes of it. */
export type Pause = (resume: (value: unknown) => void) => void;

/** A process: every `yield` is one effect, and between any two it can be killed. */
export type Work<Result = void> = Generator<Pause, Result, unknown>;

/** A process found that it must end (it was replaced, or saw what must not be); its supervisor starts it anew. */
export class Ends extends Error {
  override readonly name = "Ends";
}

interface Appointment {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** One virtual clock and one queue of what happens next: the same seed gives the same run, to the byte. */
export class Scheduler {
  readonly random: () => number;
  readonly trace: Trace;
  nowMs = 0;
  steps = 0;
  readonly #heap: Appointment[] = [];
  #order = 0;

  constructor(seed: number, trace: Trace) {
    this.random = randomFrom(seed);
    this.trace = trace;
  }

  /** A whole number from 0 to `below` − 1. */
  pickNumber(below: number): number {
    return Math.floor(this.random() * below);
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.pickNumber(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  note(who: string, what: string): void {
    this.trace.note(this.nowMs, who, what);
  }

  at(delayMs: number, run: () => void): void {
    const appointment = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(appointment);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, appointment)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = appointment;
  }

  /** Runs what is due until the virtual time; what comes later stays. */
  runUntil(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#removeFirst();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let below = heap[child];
      if (below === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (isBefore(last, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(left: Appointment, right: Appointment): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

/** Somebody may be waiting for something to change. */
export class Wake {
  #waiting: (() => void)[] = [];

  notify(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  add(wake: () => void): void {
    this.#waiting.push(wake);
  }
}

/** Waits until woken by any of them, and at most so long. */
export function wait(scheduler: Scheduler, wakes: Wake | readonly Wake[], atMostMs: number): Pause {
  return (resume) => {
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      resume(undefined);
    };
    // Whoever wakes goes on first: nothing happens inside of another's effect.
    for (const wake of wakes instanceof Wake ? [wakes] : wakes) wake.add(() => scheduler.at(0, end));
    scheduler.at(atMostMs, end);
  };
}

export function sleep(scheduler: Scheduler, forMs: number): Pause {
  return (resume) => scheduler.at(forMs, () => resume(undefined));
}
