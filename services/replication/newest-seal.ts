import { batchGet, streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, streamAsk } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { Seal } from "#proto/qalqan/events/v1/sync.ts";
import { askWaitMs } from "./config.ts";

/** So many of the newest messages are looked at: once NATIONAL is quiet, its last one is a seal. */
const lookedAtMax = 4;
/** A message with a seal has nothing else in it, and some 250 bytes; larger ones are not decoded. */
const sealBytesMax = 1_024;

/**
 * The newest of the capital's seals that was seen in the region's copy of
 * NATIONAL. With it a region proves how far NATIONAL goes: the capital believes
 * nobody's word for it, since whoever holds a stolen key may say what he likes.
 */
export class NewestSeal {
  readonly #connection: NatsConnection;
  readonly #stream: string;
  #seal: Seal | undefined;

  constructor(connection: NatsConnection, capitalEpoch: number) {
    this.#connection = connection;
    this.#stream = regionStream.national(capitalEpoch);
  }

  /** Undefined: none was seen yet, or the copy is another one now and ends before it. */
  async read(): Promise<Seal | undefined> {
    try {
      const { first, last } = await streamRange(this.#connection, streamAsk.info(this.#stream), askWaitMs);
      if (this.#seal !== undefined && this.#seal.last > last) this.#seal = undefined;
      const from = Math.max(first, last - lookedAtMax + 1);
      if (from > last) return this.#seal;
      const newest = await batchGet(this.#connection, streamAsk.get(this.#stream), from, lookedAtMax);
      for (const { data } of newest) {
        if (data.length <= sealBytesMax) this.#seal = NationalBatch.decode(data).seal ?? this.#seal;
      }
    } catch {
      // The region's server is away: the seal that was seen proves what it did.
    }
    return this.#seal;
  }
}
