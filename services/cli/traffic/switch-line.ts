import type { ClientDuplexStream } from "@grpc/grpc-js";
import { parseWord } from "#domain/invalid-input.ts";
import { verdicts } from "#domain/vocabulary.ts";
import { pause } from "#platform/lifecycle.ts";
import type { ScreeningClient, ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Question } from "./calls.ts";
import type { Outcome } from "./truth.ts";

export interface SwitchLinePlan {
  /** The switch's own timer: later answers come too late, the call has gone on. */
  readonly answerWaitMs: number;
  /** Questions under way; beyond that calls go on without being asked about. */
  readonly inFlightMax: number;
}

/** A stream that ended, with what is uncertain because of it. */
export interface Outage {
  readonly region: string;
  readonly atMs: number;
  /** Questions answered within the last 100 ms: screening may not have passed them on. */
  readonly answeredJustBefore: number;
  /** Questions without an answer: screening may have counted them. */
  readonly lost: number;
}

interface Asked {
  readonly settle: (outcome: Outcome) => void;
  readonly atMs: number;
}

/** Screening passes on what it counted after this time at the latest (architecture.md, "The way of a call"). */
const flushMs = 100;
const reconnectWaitMs = 200;
const connectWaitMs = 2_000;
/** An answer that has not come after this time will not come. */
const giveUpMs = 10_000;
const drainWaitMs = 2_000;

/**
 * The stream between one region's switches and its screening. It comes back by
 * itself when screening was away; meanwhile calls go on unasked.
 */
export class SwitchLine {
  readonly region: string;
  readonly outages: Outage[] = [];
  readonly #client: ScreeningClient;
  readonly #plan: SwitchLinePlan;
  readonly #wake: () => void;
  readonly #asked = new Map<number, Asked>();
  #answeredAtMs: number[] = [];
  #stream: ClientDuplexStream<ScreenRequest, ScreenResponse> | undefined;
  #flowing = false;
  #lastRequestId = 0;

  /** @param wake called when the line can take more */
  constructor(region: string, client: ScreeningClient, plan: SwitchLinePlan, wake: () => void) {
    this.region = region;
    this.#client = client;
    this.#plan = plan;
    this.#wake = wake;
  }

  /** Whether the stream is open and its buffers have room. */
  get takesMore(): boolean {
    return this.#flowing && this.#asked.size < this.#plan.inFlightMax;
  }

  get inFlight(): number {
    return this.#asked.size;
  }

  /** Keeps a stream open until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    do {
      if (await this.#connected()) await this.#stay(signal);
    } while (await pause(reconnectWaitMs, signal));
    this.#client.close();
  }

  /** Asks, as of now; `settle` is called once. */
  ask({ request }: Question, settle: (outcome: Outcome) => void): void {
    if (this.#stream === undefined || this.#asked.size >= this.#plan.inFlightMax) {
      settle({ kind: "unsent", region: this.region });
      return;
    }
    const atMs = Date.now();
    const requestId = ++this.#lastRequestId;
    this.#asked.set(requestId, { settle, atMs });
    this.#flowing = this.#stream.write({ ...request, requestId, atMs });
  }

  /** Gives up what was asked long ago. */
  giveUpOld(nowMs: number): void {
    for (const [requestId, { settle, atMs }] of this.#asked) {
      // In the order of asking: the first young one ends it.
      if (nowMs - atMs < giveUpMs) return;
      this.#asked.delete(requestId);
      settle({ kind: "lost", region: this.region });
    }
  }

  async #connected(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#client.waitForReady(Date.now() + connectWaitMs, (error) => resolve(error === undefined));
    return promise;
  }

  /** Until the stream ends, or the signal has come and everything is answered. */
  async #stay(signal: AbortSignal): Promise<void> {
    const stream = this.#client.screenStream();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    stream.on("data", (response: ScreenResponse) => this.#answered(response));
    stream.on("drain", () => {
      this.#flowing = true;
      this.#wake();
    });
    stream.on("error", () => resolve());
    stream.on("end", () => resolve());
    this.#stream = stream;
    this.#flowing = true;
    this.#wake();
    const leave = () => void this.#drained(stream).then(resolve);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    await ended;
    signal.removeEventListener("abort", leave);
    this.#stream = undefined;
    this.#flowing = false;
    stream.cancel();
    if (!signal.aborted) this.#noteOutage();
    this.#loseAll();
  }

  async #drained(stream: ClientDuplexStream<ScreenRequest, ScreenResponse>): Promise<void> {
    const untilMs = Date.now() + drainWaitMs;
    while (this.#asked.size > 0 && this.#stream === stream && Date.now() < untilMs) {
      await pause(10, AbortSignal.timeout(drainWaitMs));
    }
    stream.end();
  }

  #answered({ requestId, verdict, decision, reason }: ScreenResponse): void {
    const asked = this.#asked.get(requestId);
    if (asked === undefined) return;
    this.#asked.delete(requestId);
    const nowMs = Date.now();
    this.#answeredAtMs.push(nowMs);
    if (this.#answeredAtMs.length > 2 * this.#plan.inFlightMax) this.#forgetOldAnswers(nowMs);
    const kind = nowMs - asked.atMs <= this.#plan.answerWaitMs ? "answered" : "late";
    const answer = { verdict: parseWord(verdicts, "verdict", verdict), decision, reason };
    asked.settle({ kind, region: this.region, answer });
    this.#wake();
  }

  #forgetOldAnswers(nowMs: number): void {
    this.#answeredAtMs = this.#answeredAtMs.filter((atMs) => nowMs - atMs <= flushMs);
  }

  #noteOutage(): void {
    const atMs = Date.now();
    this.#forgetOldAnswers(atMs);
    const { region } = this;
    this.outages.push({
      region,
      atMs,
      answeredJustBefore: this.#answeredAtMs.length,
      lost: this.#asked.size,
    });
  }

  #loseAll(): void {
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { settle } of asked) settle({ kind: "lost", region: this.region });
  }
}
