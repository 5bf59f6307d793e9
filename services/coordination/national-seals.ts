import { leafHash } from "#domain/merkle.ts";
import {
  chainStart,
  endOfChain,
  nextSeal,
  sealEveryMs,
  type ChainEnd,
  type Seal,
  type SealedStream,
  type SealingKey,
} from "#domain/seal.ts";
import { Unsealed } from "#domain/unsealed.ts";
import { capital } from "#domain/vocabulary.ts";
import type { Alarms } from "#platform/alarms.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { firstLogged, keepNationalSeal, loadNationalSeal } from "./store/seals.ts";
import { readNationalLog } from "./store/start.ts";

/** Messages of the log that are read at once: each has up to 1 MB. */
const readMessagesMax = 16;

export interface SealingParts {
  readonly database: Database;
  readonly sealingKey: SealingKey;
  readonly alarms: Alarms;
}

/** NATIONAL in the epoch that the capital writes. */
const of: SealedStream = { stream: "national", site: capital, epoch: capitalEpoch };

/**
 * The capital's seals over NATIONAL. A seal is a message of NATIONAL itself,
 * with nothing else in it, committed to PostgreSQL before it is appended like
 * every other: so the chain goes on where it was, whenever the leader ends.
 */
export class NationalSeals {
  readonly #key: SealingKey;
  readonly #unsealed = new Unsealed();
  #end: ChainEnd;

  private constructor(key: SealingKey, end: ChainEnd) {
    this.#key = key;
    this.#end = end;
  }

  /**
   * Reads where the chain stands, and what came after it.
   *
   * @param sequence last message of NATIONAL
   * @throws LeaderReplaced
   */
  static async open(
    { database, sealingKey, alarms }: SealingParts,
    lead: Lead,
    sequence: number,
  ): Promise<NationalSeals> {
    const newest = await loadNationalSeal(database, capitalEpoch);
    const end = newest === undefined ? chainStart : endOfChain(newest);
    const first = (await firstLogged(database, end.last + 1)) ?? sequence + 1;
    if (first > end.last + 1) {
      const range = `messages ${end.last + 1} to ${first - 1}`;
      alarms.raise("seal-missing", "capital national", `${range} left the log before they were sealed`);
    }
    const seals = new NationalSeals(sealingKey, { ...end, last: first - 1 });
    for (let next = first; next <= sequence;) {
      const read = await readNationalLog(database, next, readMessagesMax);
      if (read.length === 0) throw new Error(`message ${next} of NATIONAL is not in the log`);
      for (const bytes of read) {
        const { seal } = NationalBatch.decode(bytes);
        // The log was taken back from the hub: a seal was committed with its message, and is there no more.
        if (seal !== undefined) {
          const at = next;
          await lead.write(database, (transaction) => keepNationalSeal(transaction, seal, at));
        }
        seals.committed(bytes, seal);
        next += 1;
      }
    }
    return seals;
  }

  /** The next message of NATIONAL is committed. @param seal that is in it */
  committed(bytes: Uint8Array, seal: Seal | undefined): void {
    this.#unsealed.add(leafHash(bytes), seal === undefined, performance.now());
    if (seal === undefined || seal.last <= this.#end.last) return;
    this.#unsealed.sealed(seal.last - this.#end.last);
    this.#end = endOfChain(seal);
  }

  /** Key of the newest one; empty: there is none. */
  get keyId(): string {
    return this.#end.keyId;
  }

  /** In how many milliseconds the next one is due, also when the clock is set back; undefined: nothing asks for one. */
  get dueInMs(): number | undefined {
    const { dueAtMs } = this.#unsealed;
    return dueAtMs === undefined ? undefined : Math.max(0, dueAtMs - performance.now());
  }

  /**
   * The next seal if it is due; while urgent work waits it may be another second late.
   *
   * @param atMs what the seal says of its time
   */
  next(atMs: number, isBusy: boolean): Seal | undefined {
    const { dueAtMs } = this.#unsealed;
    const latestMs = dueAtMs === undefined ? Infinity : dueAtMs + (isBusy ? sealEveryMs : 0);
    if (latestMs > performance.now()) return undefined;
    return nextSeal(of, this.#end, this.#unsealed.next(), this.#key, atMs);
  }
}
