import { setImmediate as turn } from "node:timers/promises";
import type { Alarms } from "#platform/alarms.ts";
import { appendAt } from "#platform/append.ts";
import type { Transaction } from "#platform/database.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { newestSnapshot } from "#platform/snapshots.ts";
import { lastSequenceOf } from "#platform/streams.ts";
import { hubStream, hubSubject } from "#proto/names.ts";
import { SnapshotManifest } from "#proto/qalqan/events/v1/snapshot.ts";
import {
  byRegion,
  chunked,
  decisionBytes,
  isSnapshotDue,
  pieceBytes,
  rowBytes,
  SnapshotDraft,
  type ChunkContent,
  type PartKind,
  type SnapshotPace,
} from "./domain/snapshot-chunks.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Database } from "./store/load.ts";
import {
  atOneMoment,
  liveDecisions,
  liveIntelligence,
  nationalRows,
  revokedBatches,
  type SnapshotMoment,
} from "./store/snapshot.ts";

/** How often it is looked whether a snapshot is due (ms). */
const lookEveryMs = 1_000;
/** After a failure (ms). */
const retryWaitMs = 2_000;
/** The leader's steps go on between two chunks for at least so long (ms). */
const chunkPauseMs = 5;

/** A complete snapshot at the hub. */
export interface WrittenSnapshot {
  /** Message of NATIONAL after which it is true. */
  readonly sequence: number;
  readonly rows: number;
  readonly atMs: number;
  /** Sequences in SNAPSHOT of its first chunk and of its manifest. */
  readonly firstMessage: number;
  readonly manifestMessage: number;
}

/** The rows do not have the digest that PostgreSQL keeps beside them. */
class DigestDiffers extends Error {
  override readonly name = "DigestDiffers";
}

/**
 * Writes snapshots of the national table into the hub's SNAPSHOT. Each is read
 * in one transaction of its own, chunk by chunk, while the leader's steps go
 * on; a chunk is stored where the stream stood when the snapshot began, so of
 * two writers one is refused.
 */
export class SnapshotWriter {
  readonly #database: Database;
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #alarms: Alarms;
  readonly #pace: SnapshotPace;
  readonly #published: () => number;
  /** The two newest, the newer one first. */
  #written: readonly WrittenSnapshot[] = [];
  #rowsChanged = 0;
  #committed = 0;

  /** @param published last message of NATIONAL that the hub has */
  constructor(
    parts: { database: Database; connection: NatsConnection; log: Log; alarms: Alarms },
    pace: SnapshotPace,
    published: () => number,
  ) {
    this.#database = parts.database;
    this.#connection = parts.connection;
    this.#log = parts.log;
    this.#alarms = parts.alarms;
    this.#pace = pace;
    this.#published = published;
  }

  /** The newest complete snapshot, then the one before it. */
  get written(): readonly WrittenSnapshot[] {
    return this.#written;
  }

  /** A message of NATIONAL was committed. */
  committed(sequence: number, rows: number): void {
    this.#committed = sequence;
    this.#rowsChanged += rows;
  }

  /** Writes whenever one is due, until the signal. */
  async run(committed: number, signal: AbortSignal): Promise<void> {
    this.#committed = Math.max(this.#committed, committed);
    const pace = new Wake();
    let isKnown = false;
    while (!signal.aborted) {
      try {
        if (!isKnown) await this.#readNewest();
        isKnown = true;
        if (isSnapshotDue(this.#written[0], this.#committed, this.#rowsChanged, this.#pace))
          await this.#write(signal);
        this.#alarms.clear("waits-for-person", hubStream.snapshot(capitalEpoch));
        await pace.wait(lookEveryMs, signal);
      } catch (error) {
        if (error instanceof DigestDiffers)
          this.#alarms.raise("waits-for-person", hubStream.snapshot(capitalEpoch), error.message);
        this.#log.warn({ reason: String(error) }, "no snapshot could be written; trying again");
        await pause(retryWaitMs, signal);
      }
    }
  }

  /** What is at the hub; one of a history that PostgreSQL does not have is none. */
  async #readNewest(): Promise<void> {
    const found = await newestSnapshot(
      this.#connection,
      `$JS.API.DIRECT.GET.${hubStream.snapshot(capitalEpoch)}`,
      hubSubject.snapshotManifest(capitalEpoch),
    );
    if (found === undefined || found.manifest.sequence > this.#committed) return;
    const { sequence, rows, atMs, firstMessage } = found.manifest;
    this.#written = [{ sequence, rows, atMs, firstMessage, manifestMessage: found.message }];
  }

  async #write(signal: AbortSignal): Promise<void> {
    const beganMs = performance.now();
    const rowsBefore = this.#rowsChanged;
    const atMs = Date.now();
    const manager = await this.#connection.jetstreamManager({ checkAPI: false });
    const before = await lastSequenceOf(manager, hubStream.snapshot(capitalEpoch));
    const { moment, draft } = await atOneMoment(this.#database, async (transaction, now) => ({
      moment: now,
      draft: await this.#writeChunks(transaction, now, atMs, before, signal),
    }));
    // Whoever has the manifest has, or soon gets, the messages that come after it.
    while (this.#published() < moment.sequence) {
      if (!(await pause(chunkPauseMs, signal))) throw signal.reason;
    }
    const firstMessage = before + 1;
    const manifest = draft.manifest(moment.epoch, atMs, firstMessage);
    const manifestMessage = firstMessage + draft.chunks;
    const subject = hubSubject.snapshotManifest(capitalEpoch);
    await appendAt(this.#connection, subject, manifestMessage, SnapshotManifest.encode(manifest).finish());
    const { sequence, rows, bytes } = manifest;
    this.#written = [{ sequence, rows, atMs, firstMessage, manifestMessage }, ...this.#written].slice(0, 2);
    this.#rowsChanged -= rowsBefore;
    const tookMs = Math.round(performance.now() - beganMs);
    this.#log.info({ sequence, rows, chunks: draft.chunks, bytes, tookMs }, "a snapshot was written");
  }

  async #writeChunks(
    transaction: Transaction<unknown>,
    { sequence, digest }: SnapshotMoment,
    atMs: number,
    before: number,
    signal: AbortSignal,
  ): Promise<SnapshotDraft> {
    const draft = new SnapshotDraft(sequence);
    const store = async (kind: PartKind, region: string, content: ChunkContent) => {
      const bytes = draft.chunk(kind, region, content);
      await appendAt(this.#connection, hubSubject.snapshotChunk(capitalEpoch), before + draft.chunks, bytes);
      await turn();
      if (!(await pause(chunkPauseMs, signal))) throw signal.reason;
    };
    const batches = await revokedBatches(transaction);
    for await (const chunk of chunked(only(batches), (batch) => batch.length))
      await store("facts", "", { revokedBatches: chunk });
    for await (const chunk of chunked(liveIntelligence(transaction, atMs), pieceBytes))
      await store("facts", "", { intelligence: chunk.map((intelligence) => ({ intelligence })) });
    const decisions = byRegion(chunked(liveDecisions(transaction, atMs), decisionBytes));
    for await (const { region, decisions: chunk } of decisions)
      await store("decisions", region, { decisions: chunk });
    for await (const rows of chunked(nationalRows(transaction), rowBytes)) await store("rows", "", { rows });
    if (Buffer.compare(draft.digest, digest) !== 0) {
      throw new DigestDiffers(
        `the rows of the national table at ${sequence} do not have its digest: compare PostgreSQL's table folded with a region's table before anything else`,
      );
    }
    return draft;
  }
}

async function* only<Item>(items: readonly Item[]): AsyncGenerator<readonly Item[]> {
  yield items;
}
