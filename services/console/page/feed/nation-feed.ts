import { parseNation, type Nation } from "./nation.ts";
import { readServerEvents } from "./server-events.ts";

/** The capital writes at least a comment every 10 s: two missed and a half end the line. */
const silenceMsMax = 25_000;
const answerMsMax = 10_000;
const pauseMsMin = 1_000;
const pauseMsMax = 15_000;

/** Why the line is not there: nobody answers, the capital refuses us, or it speaks another language. */
export type Failure = "unreachable" | "refused" | "unreadable";

/** What the page knows, and how fresh it is. Moments are of the page's own monotonic clock. */
export interface Feed {
  readonly line: "connecting" | "live" | "lost";
  readonly nation?: Nation;
  /** When `nation` was received. */
  readonly receivedAtMs: number;
  readonly failure?: Failure;
  /** When the next attempt is made, while the line is lost. */
  readonly retryAtMs?: number;
}

class LineFailure extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure);
    this.failure = failure;
  }
}

/** Follows the capital for as long as somebody listens; what was last known stays when the line is lost. */
export class NationFeed {
  readonly #address: URL;
  readonly #listeners = new Set<() => void>();
  #feed: Feed = { line: "connecting", receivedAtMs: 0 };
  #running: AbortController | undefined;
  #retry: (() => void) | undefined;

  constructor(address: URL) {
    this.#address = address;
  }

  /** The same object until something changes. */
  current = (): Feed => this.#feed;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#running = new AbortController();
      void this.#follow(this.#running.signal);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#running?.abort();
    };
  };

  /** Ends the pause before the next attempt. */
  retryNow = (): void => this.#retry?.();

  async #follow(signal: AbortSignal): Promise<void> {
    addEventListener("online", this.retryNow, { signal });
    for (let pauseMs = pauseMsMin; !signal.aborted; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      const failure = await this.#read(signal, () => (pauseMs = pauseMsMin));
      if (signal.aborted) return;
      this.#change({ ...this.#feed, line: "lost", failure, retryAtMs: performance.now() + pauseMs });
      await this.#pause(pauseMs, signal);
    }
  }

  /** Reads one connection to its end, and says why it ended. */
  async #read(signal: AbortSignal, onNation: () => void): Promise<Failure> {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal.addEventListener("abort", stop, { once: true });
    const tooLate = setTimeout(stop, answerMsMax);
    try {
      const answer = await fetch(this.#address, {
        headers: { accept: "text/event-stream" },
        cache: "no-store",
        signal: connection.signal,
      });
      clearTimeout(tooLate);
      if (answer.status === 401 || answer.status === 403) throw new LineFailure("refused");
      if (!answer.ok || answer.body === null) throw new LineFailure("unreachable");
      for await (const { event, data } of readServerEvents(answer.body, silenceMsMax)) {
        if (event !== "nation") continue;
        this.#change({ line: "live", nation: readable(data), receivedAtMs: performance.now() });
        onNation();
      }
      return "unreachable";
    } catch (error) {
      return error instanceof LineFailure ? error.failure : "unreachable";
    } finally {
      clearTimeout(tooLate);
      signal.removeEventListener("abort", stop);
      connection.abort();
    }
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => end(), milliseconds);
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      signal.addEventListener("abort", end);
      this.#retry = end;
    });
    this.#retry = undefined;
  }

  #change(feed: Feed): void {
    this.#feed = feed;
    for (const listener of this.#listeners) listener();
  }
}

function readable(data: string): Nation {
  try {
    return parseNation(data);
  } catch {
    throw new LineFailure("unreadable");
  }
}
