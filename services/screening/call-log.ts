import { appendAfter, WrongSequence } from "#platform/append.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, regionSubject } from "#proto/names.ts";
import { Calls, type CallRecord } from "#proto/qalqan/events/v1/events.ts";
import { callsPerMessageMax, callsWaitingMax, flushMs, retryMs } from "./config.ts";

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

  constructor(replica: string, log: Log) {
    this.#subject = regionSubject.local(replica, "calls");
    this.#log = log;
  }

  add(record: CallRecord): void {
    this.#waiting.push(record);
    if (this.#waiting.length >= callsPerMessageMax) this.#wake.notify();
    if (this.#waiting.length > callsWaitingMax) this.#drop();
  }

  /** Everything that waits goes out at once, and `run` ends after it. */
  close(): void {
    this.#closing = true;
    this.#wake.notify();
  }

  /** Writes until closed, or until the signal gives up what is left. */
  async run(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    let last = await this.#lastSequence(connection, signal);
    while (!signal.aborted) {
      if (!this.#closing && this.#waiting.length < callsPerMessageMax) await this.#wake.wait(flushMs, signal);
      const calls = this.#waiting.slice(0, callsPerMessageMax);
      if (calls.length === 0 && this.#closing) return;
      if (calls.length === 0) continue;
      this.#waiting = this.#waiting.slice(calls.length);
      last = await this.#append(connection, last, Calls.encode({ calls }).finish(), signal);
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
        return await appendAfter(connection, this.#subject, known, data);
      } catch (error) {
        if (!(error instanceof WrongSequence)) await pause(retryMs, signal);
        const found = await this.#lastSequence(connection, signal);
        // This replica alone writes here: what is later is this message, whose answer was lost.
        if (found > known) return found;
        // LOCAL has aged out this replica's last message.
        known = found;
      }
    }
    return known;
  }

  async #lastSequence(connection: NatsConnection, signal: AbortSignal): Promise<number> {
    const ask = `$JS.API.DIRECT.GET.${regionStream.local}.${this.#subject}`;
    while (!signal.aborted) {
      try {
        const answer = await connection.request(ask, "", { timeout: askWaitMs });
        const code = answer.headers?.code ?? 0;
        if (code === 404) return 0;
        const sequence = Number(answer.headers?.get("Nats-Sequence"));
        if (code === 0 && Number.isSafeInteger(sequence)) return sequence;
        throw new Error(`LOCAL answered ${code}`);
      } catch {
        await pause(retryMs, signal);
      }
    }
    return 0;
  }

  #drop(): void {
    this.#waiting.shift();
    this.#dropped += 1;
    if (this.#dropped % callsPerMessageMax === 1) {
      this.#log.error(
        { event: "calls-dropped", count: this.#dropped },
        "LOCAL is away; the oldest calls are dropped",
      );
    }
  }
}
