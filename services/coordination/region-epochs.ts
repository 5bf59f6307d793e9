import { leafHash } from "#domain/merkle.ts";
import type { Alarms } from "#platform/alarms.ts";
import { messageAt, streamRange } from "#platform/batch-get.ts";
import { pause, untilAborted, Wake, type Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { onDisconnect, type NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubStream, streamAsk } from "#proto/names.ts";
import type { Lanes } from "./consumers/lanes.ts";
import { laneName, type CapitalState } from "./domain/capital-state.ts";
import { otherLane, type OtherLane, type ReadUpTo } from "./domain/lane-end.ts";
import { ensureHubStreams } from "./hub-streams.ts";
import { LeaderReplaced, type Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import {
  enrolEpochs,
  marksOf,
  resetWatermark,
  usedEpochs,
  watermarks,
  type LanePlace,
  type Watermark,
} from "./store/regions.ts";

/** How often it is looked whether the lanes at the hub are those that were read (ms). */
const lookEveryMs = 60_000;
/** So soon it is looked again where the hub or PostgreSQL did not answer (ms). */
const retryWaitMs = 500;
/** That a lane is read again is an alarm for so long (ms). */
const alarmShownMs = 24 * 3_600_000;

interface ReaderParts {
  readonly database: Database;
  readonly lead: Lead;
  readonly connection: NatsConnection;
  readonly lanes: Lanes;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly alarms: Alarms;
  /** Of each stream of the hub. */
  readonly replicas: number;
  readonly state: CapitalState;
  /** Resolves when the step that goes on now is over. */
  readonly settle: () => Promise<unknown>;
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
  /** Aborting one has its lane read again. */
  readonly #readings = new Map<string, AbortController>();
  /** Alarms of ours, and since when they stand. */
  readonly #alarmed = new Map<string, number>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** Makes the hub's streams of these regions, in all epochs that are read. */
  async prepare(regions: readonly string[]): Promise<void> {
    const { database, connection, replicas, log, lifecycle } = this.#parts;
    const read = await epochsOf(database, regions);
    await ensureHubStreams(connection, read, replicas, log, lifecycle.signal);
    for (const { region, epochs } of read) this.#epochs.set(region, epochs);
  }

  /** Reads the lanes of a region, which was prepared, from where they were read to. */
  async read(region: string): Promise<void> {
    const epochs = this.#epochs.get(region) ?? [];
    for (const watermark of await enrolEpochs(this.#parts.database, region, epochs))
      await this.#follow(watermark);
  }

  /**
   * Looks after each loss of the hub, and each minute, whether the lanes there
   * are still those that were read, until the signal: a hub and a region that
   * both came back older agree with each other, and with nothing that we read.
   */
  async watch(signal: AbortSignal): Promise<void> {
    const { connection, log } = this.#parts;
    const wake = new Wake();
    const forget = onDisconnect(connection, () => {
      // Nothing that another store holds is read on from where this one was.
      for (const reading of this.#readings.values()) reading.abort();
      wake.notify();
    });
    try {
      while (!signal.aborted) {
        await wake.wait(lookEveryMs, signal);
        while (!signal.aborted) {
          try {
            await this.#look(signal);
            break;
          } catch (error) {
            log.info({ reason: String(error) }, "the lanes at the hub could not be looked at now");
            await pause(retryWaitMs, signal);
          }
        }
      }
    } finally {
      forget();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { database, connection, replicas, log, alarms } = this.#parts;
    // An older hub may lack a whole stream, and nobody else makes it.
    const wanted = [...this.#epochs].map(([region, epochs]) => ({ region, epochs }));
    await ensureHubStreams(connection, wanted, replicas, log, signal);
    for (const { leaf, ...place } of await watermarks(database)) {
      const reading = this.#readings.get(laneName(place));
      const read = { sequence: place.sequence, leaf: leaf ?? undefined };
      if (reading !== undefined && (await this.#isOther(place, read)) !== undefined) reading.abort();
    }
    for (const [stream, sinceMs] of this.#alarmed) {
      if (Date.now() - sinceMs < alarmShownMs) continue;
      this.#alarmed.delete(stream);
      alarms.clear("lane-read-again", stream);
    }
  }

  async #follow(watermark: Watermark): Promise<void> {
    const { region, lane, epoch } = watermark;
    const place = { region, lane, epoch };
    const reading = this.#begin(place);
    const after = await this.#readAfter(watermark);
    this.#parts.lifecycle.run(`read ${lane} of ${region} in epoch ${epoch}`, (signal) =>
      this.#keepReading(place, after, reading, signal),
    );
  }

  /** Before the lane is compared: a hub that is lost while that goes on ends the reading, and is compared again. */
  #begin(place: LanePlace): AbortController {
    const reading = new AbortController();
    this.#readings.set(laneName(place), reading);
    return reading;
  }

  /** Reads a lane on, after each loss of the hub only once it is seen that it is still the same. */
  async #keepReading(
    place: LanePlace,
    after: ReadUpTo,
    begun: AbortController,
    signal: AbortSignal,
  ): Promise<void> {
    const { lanes } = this.#parts;
    const { region, epoch } = place;
    const heard = () => {
      if (epoch === this.#epochs.get(region)?.at(-1)) this.#openNext(region, epoch + 1);
    };
    for (let [read, reading] = [after, begun]; !signal.aborted;) {
      read = await lanes.read({ ...place, after: read, heard }, AbortSignal.any([signal, reading.signal]));
      reading = this.#begin(place);
      read = await this.#comparedAtLast(place, read, signal);
    }
  }

  /** Where reading goes on after what was read, once the hub answers. */
  async #comparedAtLast(place: LanePlace, read: ReadUpTo, signal: AbortSignal): Promise<ReadUpTo> {
    const { lanes, log, settle } = this.#parts;
    while (!signal.aborted) {
      try {
        const known = await this.#watermarkOf(place);
        const [one, other] = [await this.#isOther(place, read), await this.#isOther(place, known)];
        if (one === undefined && other === undefined) return read;
        lanes.forget(place);
        // What was taken of it before is written, or its step has failed.
        await settle();
        return await this.#readAfter({ ...place, ...(await this.#watermarkOf(place)) });
      } catch (error) {
        if (error instanceof LeaderReplaced) throw error;
        log.info({ reason: String(error) }, "a lane at the hub could not be compared now");
        await pause(retryWaitMs, signal);
      }
    }
    return read;
  }

  async #watermarkOf(place: LanePlace): Promise<ReadUpTo> {
    const found = (await watermarks(this.#parts.database)).find((each) => laneName(each) === laneName(place));
    return { sequence: found?.sequence ?? 0, leaf: found?.leaf ?? undefined };
  }

  /** Where reading goes on: further back than it had come where the hub has another lane now. */
  async #readAfter(
    known: LanePlace & { readonly sequence: number; readonly leaf?: Uint8Array | null | undefined },
  ): Promise<ReadUpTo> {
    const { database, lead, log, alarms } = this.#parts;
    const { region, lane, epoch, sequence } = known;
    const read = { sequence, leaf: known.leaf ?? undefined };
    const why = await this.#isOther(known, read);
    if (why === undefined) return read;
    const common = await this.#lastCommon(known);
    const after = common.sequence;
    const stream = hubStream.up(lane, region, epoch);
    const event = why === "shorter" ? "hub-behind" : "lane-replaced";
    log.error({ event, of: region, lane, epoch, after, sequence }, "a lane at the hub is not what was read");
    const found = why === "shorter" ? "the hub ends before that" : "the hub has another message there";
    const detail = `it was read up to ${sequence}, and ${found}, since a store came back older: it is read again after ${after}`;
    alarms.raise("lane-read-again", stream, detail);
    this.#alarmed.set(stream, Date.now());
    const upTo = await resetWatermark(database, lead, known, common);
    // What a capital that was put back had to read is to be read in what stands there now.
    if (upTo > after) this.#parts.state.mustRead(laneName(known), upTo, after);
    return common;
  }

  /** Whether the hub has another lane now than the one that was read, as far as the newest message tells. */
  async #isOther(place: LanePlace, read: ReadUpTo): Promise<OtherLane | undefined> {
    const { sequence } = read;
    if (sequence === 0) return undefined;
    const { last } = await this.#rangeOf(place);
    const leaf = last < sequence ? undefined : await this.#leafAt(place, sequence);
    return otherLane(read, { last, leaf });
  }

  /** The newest remembered message that the hub has as well; where none is, what comes before its first. */
  async #lastCommon(place: LanePlace): Promise<ReadUpTo> {
    const { first, last } = await this.#rangeOf(place);
    for (const { sequence, leaf } of await marksOf(this.#parts.database, place, last)) {
      if (sequence < first) break;
      const there = await this.#leafAt(place, sequence);
      if (there !== undefined && Buffer.compare(there, leaf) === 0) return { sequence, leaf };
    }
    return { sequence: first - 1, leaf: undefined };
  }

  async #rangeOf({ region, lane, epoch }: LanePlace) {
    return streamRange(this.#parts.connection, streamAsk.info(hubStream.up(lane, region, epoch)));
  }

  async #leafAt({ region, lane, epoch }: LanePlace, sequence: number): Promise<Uint8Array | undefined> {
    const get = streamAsk.get(hubStream.up(lane, region, epoch));
    const message = await messageAt(this.#parts.connection, get, sequence);
    return message && leafHash(message.data);
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

/** The epochs of these regions that are read, as far as PostgreSQL knows. */
export async function epochsOf(
  database: Database,
  regions: readonly string[],
): Promise<{ readonly region: string; readonly epochs: readonly number[] }[]> {
  const used = await usedEpochs(database, regions);
  return regions.map((region) => ({ region, epochs: epochsToRead(used.get(region) ?? []) }));
}

/** What was used, and the next; a region that has used none begins in the first, and opens its second without us. */
function epochsToRead(used: readonly number[]): readonly number[] {
  return used.length === 0 ? [firstEpoch, firstEpoch + 1] : [...used, Math.max(...used) + 1];
}
