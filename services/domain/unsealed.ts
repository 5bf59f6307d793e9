import { sealEveryMs, sealMessagesMax } from "./seal.ts";

/** A body of an event, by name; the generated `Event.body` fits. */
interface BodyLike {
  readonly $case: string;
  readonly value: object;
}

/** Bodies that nobody asks a proof of: a seal for these alone would bring forth the next one for ever. */
const withoutWeight: readonly string[] = ["seal", "heartbeat", "alarms"];

/**
 * Whether an event makes a seal due. Seals, heartbeats and alarms do not, nor a
 * receipt that tells of nothing applied, which is a heartbeat too: those are
 * covered by the next seal that something else makes due, or when there are
 * 1,000 of them.
 */
export function wantsSeal(body: BodyLike | undefined): boolean {
  if (body === undefined) return true;
  if (body.$case === "receipt" && "applied" in body.value && Array.isArray(body.value.applied))
    return body.value.applied.length > 0;
  return !withoutWeight.includes(body.$case);
}

/** What a stream holds after its last seal, and when the next one is due. */
export class Unsealed {
  readonly #waitMs: number;
  readonly #leaves: Uint8Array[] = [];
  /** When each message came, as long as it wants a seal; else undefined. */
  readonly #wantedAtMs: (number | undefined)[] = [];

  /** @param waitMs so long the first message that wants a seal waits for others */
  constructor(waitMs: number = sealEveryMs) {
    this.#waitMs = waitMs;
  }

  /** Messages that no seal covers. */
  get count(): number {
    return this.#leaves.length;
  }

  /**
   * @param leaf `leafHash` of the next message of the stream
   * @param nowMs by a clock that never goes back
   */
  add(leaf: Uint8Array, wantsOne: boolean, nowMs: number): void {
    this.#leaves.push(leaf);
    this.#wantedAtMs.push(wantsOne ? nowMs : undefined);
  }

  /** When a seal is due, by the same clock; undefined: nothing asks for one. */
  get dueAtMs(): number | undefined {
    if (this.#leaves.length >= sealMessagesMax) return 0;
    const wantedAtMs = this.#wantedAtMs.find((atMs) => atMs !== undefined);
    return wantedAtMs === undefined ? undefined : wantedAtMs + this.#waitMs;
  }

  /** Leaves that the next seal covers: all there are, up to 1,000. */
  next(): readonly Uint8Array[] {
    return this.#leaves.slice(0, sealMessagesMax);
  }

  /** A seal over the first so many is stored. */
  sealed(count: number): void {
    this.#leaves.splice(0, count);
    this.#wantedAtMs.splice(0, count);
  }
}
