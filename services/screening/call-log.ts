import { appendAfter, WrongSequence } from "#platform/append.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, regionSubject } from "#proto/names.ts";
import { Calls, type CallRecord } from "#proto/qalqan/events/v1/events.ts";
import { callsPerMessageMax, callsWaitingMax, flushMs, lateMs, retryMs } from "./config.ts";

const askWaitMs = 1_000;

/**
 * Puts the calls that were answered into LOCAL, each once, in batches. Answers
 * never wait for it. Calls are not under the guarantee of what people are told:
 * a crash loses the last batch at most, and a LOCAL that is away for too long
 * makes the oldest go, counted and named in the log.
 */
export class CallLog {
  readonly #subject: string;
  readonly #log: Log;
  readonly #wake = new Wake();
  #waiting: CallRecord[] = [];
  #dropped = 0;
  #closing = false;
  /** Calls of the batch that is on its way. */
  #flying = 0;
  /** Since when there is a call that is not in LOCAL; 0: there is none. */
  #unsavedSinceMs = 0;

  constructor(replica: string, log: Log) {
    this.#subject = regionSubject.local(replica, "calls");
    this.#log = log;
  }

  add(record: CallRecord): void {
    this.#waiting.push(record);
    if (this.#unsavedSinceMs === 0) this.#unsavedSinceMs = performance.now();
    if (this.#waiting.length >= callsPerMessageMax) this.#wake.notify();
    if (this.#waiting.length > callsWaitingMax) this.#drop();
  }

  /** Calls that are not in LOCAL, once one has waited for so long that a kill would lose more than a flush. */
  late(): number {
    const isLate = this.#unsavedSinceMs > 0 && performance.now() - this.#unsavedSinceMs > lateMs;
    return isLate ? this.#flying + this.#waiting.length : 0;
  }

  /** Everything that waits goes out at once, and `run` ends after it. */
  close(): void {
    this.#closing = true;
    this.#wake.notify();
  }

  /** Writes until closed, or until the signal gives up what is left. */
  async run(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    let { sequence: last } = await this.#lastMessage(connection, signal);
    while (!signal.aborted) {
      if (!this.#closing && this.#waiting.length < callsPerMessageMax) await this.#wake.wait(flushMs, signal);
      const calls = this.#waiting.slice(0, callsPerMessageMax);
      if (calls.length === 0 && this.#closing) return;
      if (calls.length === 0) continue;
      this.#waiting = this.#waiting.slice(calls.length);
      this.#flying = calls.length;
      last = await this.#append(connection, last, Calls.encode({ calls }).finish(), signal);
      this.#flying = 0;
      this.#unsavedSinceMs = this.#waiting.length > 0 ? performance.now() : 0;
      if (signal.aborted) this.#waiting = [...calls, ...this.#waiting];
    }
    if (this.#waiting.length > 0)
      this.#log.error({ event: "calls-lost", count: this.#waiting.length }, "not written");
  }

  /** Appends however often it takes; @returns the sequence of the subject's last message then. */
  async #append(
    connection: NatsConnection,
    last: number,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    let known = last;
    while (!signal.aborted) {
      try {
        return await appendAfter(connection, this.#subject, known, data, askWaitMs);
      } catch (error) {
        if (!(error instanceof WrongSequence)) await pause(retryMs, signal);
        const found = await this.#lastMessage(connection, signal);
        // It was stored, and the answer was lost.
        if (found.sequence > known && Buffer.compare(found.data, data) === 0) return found.sequence;
        known = found.sequence;
      }
    }
    return known;
  }

  /** The last message that this replica has in LOCAL; sequence 0: none is kept. */
  async #lastMessage(
    connection: NatsConnection,
    signal: AbortSignal,
  ): Promise<{ sequence: number; data: Uint8Array }> {
    const ask = `$JS.API.DIRECT.GET.${regionStream.local}.${this.#subject}`;
    const none = { sequence: 0, data: new Uint8Array() };
    while (!signal.aborted) {
      try {
        const answer = await connection.request(ask, "", { timeout: askWaitMs });
        const code = answer.headers?.code ?? 0;
        if (code === 404) return none;
        const sequence = Number(answer.headers?.get("Nats-Sequence"));
        if (code === 0 && Number.isSafeInteger(sequence)) return { sequence, data: answer.data };
        throw new Error(`LOCAL answered ${code}`);
      } catch {
        await pause(retryMs, signal);
      }
    }
    return none;
  }

  /** Whole batches: dropping one by one would move all others each time. */
  #drop(): void {
    this.#waiting = this.#waiting.slice(callsPerMessageMax);
    this.#dropped += callsPerMessageMax;
    this.#log.error(
      { event: "calls-dropped", count: this.#dropped },
      "LOCAL is away; the oldest calls are dropped",
    );
  }
}
