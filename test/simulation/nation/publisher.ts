import { asked, type Link } from "../engine/link.ts";
import type { Machine } from "../engine/machine.ts";
import { Ends, sleep, Wake, wait, type Scheduler, type Work } from "../engine/scheduler.ts";
import type { Stream } from "../engine/store.ts";
import { sameBytes } from "./decoded.ts";

const askWaitMs = 2_000;
const retryWaitMs = 100;
const quietMs = 1_000;

/** A log in PostgreSQL that is appended to a stream of the hub, byte for byte. */
export interface PublishedLog {
  readonly scheduler: Scheduler;
  readonly name: string;
  readonly hub: Machine;
  readonly toHub: Link;
  readonly toPostgres: Link;
  readonly stream: () => Stream | undefined;
  readonly read: (sequence: number) => Uint8Array | undefined;
  readonly expects: boolean;
  readonly looksAgain: boolean;
}

/** services/coordination/log-publisher.ts */
export class Publisher {
  readonly #log: PublishedLog;
  readonly #wake = new Wake();
  committed: number;
  published = 0;

  constructor(log: PublishedLog, committed: number) {
    this.#log = log;
    this.committed = committed;
  }

  get backlog(): number {
    return this.committed - this.published;
  }

  commit(sequence: number): void {
    this.committed = sequence;
    this.#wake.notify();
  }

  *align(): Work {
    for (;;) {
      const last = yield* this.#lastOfStream();
      if (last !== undefined) {
        this.published = last;
        return;
      }
      yield sleep(this.#log.scheduler, retryWaitMs);
    }
  }

  *run(): Work {
    const { scheduler, hub, toHub, toPostgres, stream, read, expects, looksAgain } = this.#log;
    let connection = hub.incarnation;
    for (;;) {
      while (this.published < this.committed) {
        const sequence = this.published + 1;
        const bytes = yield* asked(toPostgres, () => read(sequence), askWaitMs);
        if (bytes === undefined) {
          yield sleep(scheduler, retryWaitMs);
          continue;
        }
        const expected = expects ? { last: sequence - 1 } : {};
        const run = () => stream()?.append("batch", bytes, expected, scheduler.nowMs) ?? "no-stream";
        const stored = yield* asked(toHub, run, askWaitMs);
        if (stored === sequence) {
          this.published = sequence;
          continue;
        }
        yield sleep(scheduler, retryWaitMs);
        yield* this.align();
      }
      yield wait(scheduler, [this.#wake, hub.ended], quietMs);
      // A hub that was started again may have come back older.
      if (connection === hub.incarnation || !looksAgain) continue;
      connection = hub.incarnation;
      yield* this.align();
    }
  }

  /** The stream's last sequence, after its content there was found to be ours; undefined: no answer. */
  *#lastOfStream(): Work<number | undefined> {
    const { toHub, toPostgres, stream, read, name } = this.#log;
    const end = yield* asked(
      toHub,
      () => {
        const found = stream();
        return found === undefined ? undefined : { last: found.last, message: found.get(found.last) };
      },
      askWaitMs,
    );
    if (end === undefined) return undefined;
    if (end.last > this.committed)
      throw new Ends(`${name} is at ${end.last}, PostgreSQL at ${this.committed}`);
    if (end.last === 0) return 0;
    const ours = yield* asked(toPostgres, () => ({ bytes: read(end.last) }), askWaitMs);
    if (ours === undefined) return undefined;
    const isSame =
      ours.bytes !== undefined && end.message !== undefined && sameBytes(ours.bytes, end.message.data);
    if (!isSame) throw new Ends(`${name} holds something else at ${end.last} than PostgreSQL`);
    return end.last;
  }
}
