import { Event } from "#proto/qalqan/events/v1/events.ts";
import { asked, type Link } from "../engine/link.ts";
import { sleep, type Scheduler, type Work } from "../engine/scheduler.ts";
import type { Stored, Stream } from "../engine/store.ts";
import { decodeEvent } from "./decoded.ts";

const acknowledgeWaitMs = 1_000;
const retryWaitMs = 100;
const openWaitMs = 3_000;

/** Where a producer writes. */
export interface Lane {
  readonly scheduler: Scheduler;
  readonly link: Link;
  /** Looked up anew with each request: a restored store may lack it. */
  readonly stream: () => Stream | undefined;
  /** Number after which the producer goes on in an epoch that has nothing of it yet. */
  readonly numberBefore: (stream: Stream) => number;
  readonly name: string;
  readonly expects: boolean;
  /** It goes by what the server told before it was restarted. */
  readonly trustsRestarted: boolean;
}

/** What became of an append: `late`: it is not known by then; `replaced`: another process writes under this name. */
export type Appended = "stored" | "late" | "replaced";

/** services/platform/producer.ts: each append names the producer's own last message. */
export class Producer {
  readonly #lane: Lane;
  lastOutbox = 0;
  /** Sequence of the last event in the lane. */
  #lastSequence = 0;
  #last: Stored | undefined;
  /** The process of the server that said how far this producer is. */
  #server: number | undefined;

  private constructor(lane: Lane) {
    this.#lane = lane;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** @returns undefined: the lane was not there for a while, perhaps because its epoch is not any more */
  static *open(lane: Lane): Work<Producer | undefined> {
    const producer = new Producer(lane);
    const untilMs = lane.scheduler.nowMs + openWaitMs;
    while (!(yield* producer.#readLast())) {
      if (lane.scheduler.nowMs >= untilMs) return undefined;
      yield sleep(lane.scheduler, retryWaitMs);
    }
    return producer;
  }

  *append(body: NonNullable<Event["body"]>, atMs: number, untilMs: number): Work<Appended> {
    const known = this.lastOutbox;
    if (!(yield* this.#meetServer(untilMs))) return "late";
    const outbox = Math.max(known, this.lastOutbox) + 1;
    return yield* this.appendBytes(
      body.$case,
      outbox,
      Event.encode({ outbox, atMs, body }).finish(),
      untilMs,
    );
  }

  *appendBytes(type: string, outbox: number, bytes: Uint8Array, untilMs: number): Work<Appended> {
    if (outbox <= this.lastOutbox) throw new RangeError(`outbox ${outbox} is stored already`);
    const { scheduler, link, stream, name } = this.#lane;
    while (scheduler.nowMs < untilMs) {
      if (!this.#isSameServer) {
        if (!(yield* this.#meetServer(untilMs))) return "late";
        const found = this.#compare(outbox, bytes);
        if (found !== undefined) return found;
        continue;
      }
      const last = this.#lastSequence;
      const expected = this.#lane.expects ? { lastOfProducer: { producer: name, last } } : {};
      const run = () => stream()?.append(`${name}.${type}`, bytes, expected, scheduler.nowMs) ?? "no-stream";
      const stored = yield* asked(link, run, acknowledgeWaitMs);
      if (typeof stored === "number") {
        this.#lastSequence = stored;
        this.lastOutbox = outbox;
        return "stored";
      }
      if (stored !== "wrong-last") yield sleep(scheduler, retryWaitMs);
      if (!(yield* this.#readLast())) continue;
      const found = this.#compare(outbox, bytes);
      if (found !== undefined) return found;
    }
    return "late";
  }

  /** What the lane says of the event; undefined: it is not there. */
  #compare(outbox: number, bytes: Uint8Array): Appended | undefined {
    const isOther = this.lastOutbox === outbox && Buffer.compare(this.#last?.data ?? bytes, bytes) !== 0;
    if (this.lastOutbox > outbox || isOther) return "replaced";
    return this.lastOutbox === outbox ? "stored" : undefined;
  }

  get #isSameServer(): boolean {
    const { link, trustsRestarted } = this.#lane;
    return trustsRestarted || this.#server === link.serverIncarnation;
  }

  /** Where another process of the server answers, it is read again how far the lane is. */
  *#meetServer(untilMs: number): Work<boolean> {
    const { scheduler } = this.#lane;
    while (!this.#isSameServer) {
      if (scheduler.nowMs >= untilMs) return false;
      if (!(yield* this.#readLast())) yield sleep(scheduler, retryWaitMs);
    }
    return true;
  }

  *#readLast(): Work<boolean> {
    const { link, stream, numberBefore, name } = this.#lane;
    const read = () => {
      const found = stream();
      if (found === undefined) return { found: false } as const;
      return { found: true, before: numberBefore(found), last: found.get(found.lastOf(name)) } as const;
    };
    const server = link.serverIncarnation;
    const answer = yield* asked(link, read, acknowledgeWaitMs);
    if (answer === undefined || !answer.found) return false;
    this.#server = server;
    this.#last = answer.last;
    this.#lastSequence = answer.last?.sequence ?? 0;
    this.lastOutbox = answer.last === undefined ? answer.before : decodeEvent(answer.last.data).outbox;
    return true;
  }
}
