import type { Pause, Scheduler, Work } from "./scheduler.ts";

/** What a link does to requests. */
export interface LinkWeather {
  /** One way (ms). */
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Shares of requests. */
  lost: number;
  answerLost: number;
  twice: number;
  /** Chance of a request that the connection breaks under it. */
  breaks: number;
}

/** A server that answers only while it is up. */
export interface Server {
  readonly isUp: boolean;
  /** Connections end with the process that they were opened to. */
  readonly incarnation: number;
}

/** What was left behind in a connection that broke comes at most so much later (ms). */
const lateMsMax = 3_000;

/**
 * Requests of one client to one server over one connection. Within a
 * connection they arrive in their order (TCP). When it breaks, those on their
 * way are lost, or arrive late: after requests of the next connection. A
 * request or its answer may be lost, and a request may arrive twice. An answer
 * that comes after the time-out is never seen, but what was asked is done.
 */
export class Link {
  readonly #scheduler: Scheduler;
  readonly #server: Server;
  readonly weather: LinkWeather;
  #connection = 0;
  #lastArrivalMs = 0;
  #cutUntilMs = 0;

  constructor(scheduler: Scheduler, server: Server, weather: LinkWeather) {
    this.#scheduler = scheduler;
    this.#server = server;
    this.weather = weather;
  }

  /** The process that the connection leads to: what a server tells of itself to whoever connects. */
  get serverIncarnation(): number {
    return this.#server.incarnation;
  }

  get isCut(): boolean {
    return this.#cutUntilMs > this.#scheduler.nowMs;
  }

  cutFor(forMs: number): void {
    this.#cutUntilMs = this.#scheduler.nowMs + forMs;
    this.breakNow();
  }

  mend(): void {
    this.#cutUntilMs = 0;
  }

  breakNow(): void {
    this.#connection += 1;
    this.#lastArrivalMs = 0;
  }

  /** Asks, and goes on with the answer; undefined: none came in time, and nobody knows whether it was done. */
  ask(run: () => unknown, waitMs: number): Pause {
    return (resume) => this.send(run, waitMs, resume);
  }

  /** The same without waiting: several requests can be on their way. */
  send<Answer>(run: () => Answer, waitMs: number, answered: (answer: Answer | undefined) => void): void {
    const { random } = this.#scheduler;
    const { weather } = this;
    const sentMs = this.#scheduler.nowMs;
    const giveUp = (): void => {
      this.#scheduler.at(Math.max(0, sentMs + waitMs - this.#scheduler.nowMs), () => answered(undefined));
    };
    if (this.isCut || random() < weather.lost) return giveUp();
    if (weather.breaks > 0 && random() < weather.breaks) this.breakNow();
    const connection = this.#connection;
    const { incarnation } = this.#server;
    const arrivalMs = Math.max(this.#lastArrivalMs, sentMs + this.#delay());
    this.#lastArrivalMs = arrivalMs;
    if (weather.twice > 0 && random() < weather.twice) this.#repeat(run, arrivalMs - sentMs, incarnation);
    this.#scheduler.at(arrivalMs - sentMs, () => {
      if (connection !== this.#connection) {
        if (random() < 0.5) this.#repeat(run, 0, incarnation);
        return giveUp();
      }
      if (!this.#server.isUp || incarnation !== this.#server.incarnation) return giveUp();
      const answer = run();
      const answerMs = this.#scheduler.nowMs + this.#delay();
      if (answerMs > sentMs + waitMs || random() < weather.answerLost) return giveUp();
      this.#scheduler.at(answerMs - this.#scheduler.nowMs, () => {
        if (connection === this.#connection) answered(answer);
        else giveUp();
      });
    });
  }

  /** What is on its way one way alone; nobody waits for it. */
  tell(run: () => void): void {
    this.send(run, 0, () => undefined);
  }

  /** Late, but never to another process than the one that the connection led to: it ends with that. */
  #repeat(run: () => unknown, afterMs: number, incarnation: number): void {
    this.#scheduler.at(afterMs + this.#scheduler.random() * lateMsMax, () => {
      if (this.#server.isUp && incarnation === this.#server.incarnation) run();
    });
  }

  #delay(): number {
    const { delayMsMin, delayMsMax } = this.weather;
    return delayMsMin + (delayMsMax - delayMsMin) * this.#scheduler.random();
  }
}

/** `ask` for a process: `const answer = yield* asked(link, run, waitMs)`. */
export function* asked<Answer>(link: Link, run: () => Answer, waitMs: number): Work<Answer | undefined> {
  return (yield link.ask(run, waitMs)) as Answer | undefined;
}
