import { sealMessagesMax } from "#domain/seal.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, streamAsk } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { Seal } from "#proto/qalqan/events/v1/sync.ts";
import { askWaitMs } from "./config.ts";

/** So many of the newest messages are looked at first: once NATIONAL is quiet, its last one is a seal. */
const newestMax = 4;
/** While much is written the newest seal stands further back, and is looked for in portions of so many messages … */
const portionMax = 64;
/** … in no more than two seals are apart, and some that came while the second was made … */
const lookedAtMax = sealMessagesMax + 24;
/** … nor in more bytes: a message of NATIONAL has up to 1 MB. */
const lookedAtBytesMax = 16 * 1024 * 1024;
/** A message with a seal has nothing else in it, and some 250 bytes; larger ones are not decoded. */
const sealBytesMax = 1_024;

/** A seal, and the message that it stands in. */
interface Seen {
  readonly seal: Seal;
  readonly sequence: number;
}

/**
 * The newest of the capital's seals that was seen in the region's copy of
 * NATIONAL. With it a region proves how far NATIONAL goes: the capital believes
 * nobody's word for it, since whoever holds a stolen key may say what he likes.
 */
export class NewestSeal {
  readonly #connection: NatsConnection;
  readonly #stream: string;
  #seen: Seen | undefined;

  constructor(connection: NatsConnection, capitalEpoch: number) {
    this.#connection = connection;
    this.#stream = regionStream.national(capitalEpoch);
  }

  /** Undefined: none was seen yet, or the copy is another one now and ends before it. */
  async read(): Promise<Seal | undefined> {
    try {
      const { first, last } = await streamRange(this.#connection, streamAsk.info(this.#stream), askWaitMs);
      if (this.#seen !== undefined && this.#seen.seal.last > last) this.#seen = undefined;
      this.#seen = (await this.#lookBack(first, last)) ?? this.#seen;
    } catch {
      // The region's server is away: the seal that was seen proves what it did.
    }
    return this.#seen?.seal;
  }

  /** The newest seal from `last` on back, down to the one that was seen before. */
  async #lookBack(first: number, last: number): Promise<Seen | undefined> {
    const newest = Math.max(first, last - newestMax + 1);
    const lowest = Math.max(first, last - lookedAtMax + 1, (this.#seen?.sequence ?? 0) + 1);
    let bytesLeft = lookedAtBytesMax;
    for (let from = newest, to = last; from <= to && bytesLeft > 0;) {
      let seen: Seen | undefined;
      for (let next = from; next <= to && bytesLeft > 0;) {
        const messages = await batchGet(this.#connection, streamAsk.get(this.#stream), next, to - next + 1);
        for (const { sequence, data } of messages) {
          bytesLeft -= data.length;
          const seal = data.length <= sealBytesMax ? NationalBatch.decode(data).seal : undefined;
          if (seal !== undefined) seen = { seal, sequence };
        }
        next = (messages.at(-1)?.sequence ?? to) + 1;
      }
      if (seen !== undefined) return seen;
      to = from - 1;
      from = Math.max(lowest, to - portionMax + 1);
    }
    return undefined;
  }
}
