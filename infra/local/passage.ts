import type { Socket } from "node:net";

/** How slow a line is, each way. */
export interface Slowness {
  /** One way, in milliseconds. */
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
}

/** What a line does to the bytes in it; it may change while they are on their way. */
export interface LineCondition {
  readonly slow: Slowness | undefined;
  /** Connections stay, and no byte arrives. */
  readonly halfOpen: boolean;
}

/** On their way at most; beyond that the sender has to wait, as TCP would have it. */
const underWayBytesMax = 4 * 1024 ** 2;

/** One direction of a connection through a line: every byte arrives in order, when the line lets it. */
export class Passage {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #condition: () => LineCondition;
  readonly #underWay: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  #underWayBytes = 0;
  /** When the last byte so far has left the narrowest place. */
  #passedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isFull = false;
  #hasEnded = false;

  constructor(from: Socket, to: Socket, condition: () => LineCondition) {
    this.#from = from;
    this.#to = to;
    this.#condition = condition;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#hasEnded = true;
      this.move();
    });
    to.on("drain", () => {
      this.#isFull = false;
      this.move();
    });
  }

  #take(bytes: Buffer): void {
    const { slow } = this.#condition();
    const nowMs = performance.now();
    if (slow !== undefined) {
      const startMs = Math.max(nowMs, this.#passedMs);
      this.#passedMs = startMs + (bytes.length / slow.bytesPerSecond) * 1_000;
    }
    const dueMs = slow === undefined ? nowMs : this.#passedMs + slow.latencyMs;
    this.#underWay.push({ bytes, dueMs });
    this.#underWayBytes += bytes.length;
    this.move();
  }

  /** Hands on what is due; called also when the line's condition has changed. */
  move(): void {
    clearTimeout(this.#timer);
    const { halfOpen, slow } = this.#condition();
    for (let next = this.#underWay[0]; next !== undefined && !halfOpen; next = this.#underWay[0]) {
      const waitMs = slow === undefined ? 0 : next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.move(), waitMs);
        break;
      }
      if (this.#isFull) break;
      this.#underWay.shift();
      this.#underWayBytes -= next.bytes.length;
      this.#isFull = !this.#to.write(next.bytes);
    }
    if (halfOpen || this.#underWayBytes > underWayBytesMax) this.#from.pause();
    else this.#from.resume();
    // That an end is gone is news too: it does not pass a half-open line.
    if (this.#hasEnded && this.#underWay.length === 0 && !halfOpen) this.#to.destroySoon();
  }
}
