import { leafHash } from "#domain/merkle.ts";
import { chainStart, endOfChain, nextSeal, type ChainEnd, type Seal, type SealingKey } from "#domain/seal.ts";
import { sealMessage } from "#platform/seal-message.ts";
import { firstEpoch, hubStream, type Lane } from "#proto/names.ts";
import { readAll } from "#test/replication/servers.ts";
import type { CapitalUnderTest } from "./capital-under-test.ts";

/** One lane of a region that the test plays, with its chain of seals. */
export class SealedRegionLane {
  readonly #capital: CapitalUnderTest;
  readonly #region: string;
  readonly #lane: Lane;
  #end: ChainEnd = chainStart;

  constructor(capital: CapitalUnderTest, region: string, lane: Lane) {
    this.#capital = capital;
    this.#region = region;
    this.#lane = lane;
  }

  /** What replication would seal now. */
  async next(key: SealingKey = this.#capital.keys.of(this.#region)): Promise<Seal> {
    const stream = hubStream.up(this.#lane, this.#region, firstEpoch);
    const messages = await readAll(this.#capital.nats, stream);
    const unsealed = messages.filter(({ sequence }) => sequence > this.#end.last);
    const leaves = unsealed.map(({ data }) => leafHash(data));
    const of = { stream: this.#lane, site: this.#region, epoch: firstEpoch };
    return nextSeal(of, this.#end, leaves, key, Date.now());
  }

  /** Stores a seal as replication does, and goes on from it. */
  async send(seal: Seal): Promise<void> {
    await this.#capital.sendAs("replication", this.#region, this.#lane, {
      $case: "seal",
      value: sealMessage(seal),
    });
    this.#end = endOfChain(seal);
  }

  async seal(key?: SealingKey): Promise<void> {
    await this.send(await this.next(key));
  }
}
