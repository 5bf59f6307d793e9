import { untilAborted, type Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { lastSequenceOf } from "#platform/streams.ts";
import { firstEpoch, hubStream } from "#proto/names.ts";
import type { Lanes } from "./consumers/lanes.ts";
import { ensureHubStreams } from "./hub-streams.ts";
import type { Database } from "./store/load.ts";
import { enrolEpochs, resetWatermark, usedEpochs, type Watermark } from "./store/regions.ts";

interface ReaderParts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly lanes: Lanes;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** Of each stream of the hub. */
  readonly replicas: number;
}

/**
 * Reads the lanes of regions in every epoch that they have used, to the end of
 * each, and in the next: its streams stand ready, so that a region opens it
 * without us. What comes twice, since it was fed again, takes effect once.
 */
export class RegionReaders {
  readonly #parts: ReaderParts;
  /** Of each region, in order; the last stands ready, and is not used yet. */
  readonly #epochs = new Map<string, readonly number[]>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** Makes the hub's streams of these regions, in all epochs that are read. */
  async prepare(regions: readonly string[]): Promise<void> {
    const { database, connection, replicas, log, lifecycle } = this.#parts;
    const used = await usedEpochs(database, regions);
    const read = regions.map((region) => ({ region, epochs: epochsToRead(used.get(region) ?? []) }));
    await ensureHubStreams(connection, read, replicas, log, lifecycle.signal);
    for (const { region, epochs } of read) this.#epochs.set(region, epochs);
  }

  /** Reads the lanes of a region, which was prepared, from where they were read to. */
  async read(region: string): Promise<void> {
    const epochs = this.#epochs.get(region) ?? [];
    for (const watermark of await enrolEpochs(this.#parts.database, region, epochs))
      await this.#follow(watermark);
  }

  async #follow(watermark: Watermark): Promise<void> {
    const { lanes, lifecycle } = this.#parts;
    const { region, lane, epoch } = watermark;
    const after = await this.#sequenceAfter(watermark);
    const heard = () => {
      if (epoch === this.#epochs.get(region)?.at(-1)) this.#openNext(region, epoch + 1);
    };
    lifecycle.run(`read ${lane} of ${region} in epoch ${epoch}`, (signal) =>
      lanes.read({ region, lane, epoch, after, heard }, signal),
    );
  }

  /** A hub that came back older than what was read of it is read from its end on: the region feeds it again. */
  async #sequenceAfter(watermark: Watermark): Promise<number> {
    const { database, connection, log } = this.#parts;
    const { region, lane, epoch, sequence } = watermark;
    if (sequence === 0) return 0;
    const manager = await connection.jetstreamManager({ checkAPI: false });
    const last = await lastSequenceOf(manager, hubStream.up(lane, region, epoch));
    if (last >= sequence) return sequence;
    log.error({ event: "hub-behind", of: region, lane, epoch, last, sequence }, "a lane at the hub is older");
    await resetWatermark(database, { ...watermark, sequence: last });
    return last;
  }

  /** The region has opened the epoch that stood ready: the one after it is to stand ready. */
  #openNext(region: string, epoch: number): void {
    const { database, connection, replicas, log, lifecycle } = this.#parts;
    this.#epochs.set(region, [...(this.#epochs.get(region) ?? []), epoch]);
    log.info({ event: "epoch-used", of: region, epoch: epoch - 1 }, "a region goes on in another epoch");
    lifecycle.run(`epoch ${epoch} of ${region}`, async (signal) => {
      await ensureHubStreams(connection, [{ region, epochs: [epoch] }], replicas, log, signal);
      for (const watermark of await enrolEpochs(database, region, [epoch])) await this.#follow(watermark);
      // It has done its part; a part that ends would end the process.
      await untilAborted(signal);
    });
  }
}

/** What was used, and the next; a region that has used none begins in the first, and opens its second without us. */
function epochsToRead(used: readonly number[]): readonly number[] {
  return used.length === 0 ? [firstEpoch, firstEpoch + 1] : [...used, Math.max(...used) + 1];
}
