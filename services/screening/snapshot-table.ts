import { setImmediate as turn } from "node:timers/promises";
import { NationalTable } from "#domain/national-table.ts";
import { isSnapshotShorter } from "#domain/snapshot-way.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { newestSnapshot, snapshotChunks, SnapshotDamaged, type StoredSnapshot } from "#platform/snapshots.ts";
import { regionStream, regionSubject } from "#proto/names.ts";
import type { DecisionAt } from "#domain/national-table.ts";
import type { SnapshotChunk } from "#proto/qalqan/events/v1/snapshot.ts";

/** The region's own SNAPSHOT, as a source of the national table. */
export class SnapshotSource {
  readonly #connection: NatsConnection;
  readonly #region: string;
  readonly #get: string;
  readonly #subject: string;

  constructor(connection: NatsConnection, region: string, epoch: number) {
    this.#connection = connection;
    this.#region = region;
    this.#get = `$JS.API.DIRECT.GET.${regionStream.snapshot(epoch)}`;
    this.#subject = regionSubject.snapshotManifest(epoch);
  }

  /** The newest complete snapshot; undefined where there is none, or no answer. */
  async newest(): Promise<StoredSnapshot | undefined> {
    try {
      return await newestSnapshot(this.#connection, this.#get, this.#subject);
    } catch {
      // The server is away, or makes the stream anew: NATIONAL is read as it comes.
      return undefined;
    }
  }

  /**
   * The snapshot from which a table gets further than from the region's copy
   * of NATIONAL; undefined: there is none.
   *
   * @param reached sequence of the table
   * @param first first message of the copy
   */
  async shorterThan(reached: number, first: number): Promise<StoredSnapshot | undefined> {
    const found = await this.newest();
    if (found === undefined) return undefined;
    const { sequence, chunkHashes } = found.manifest;
    return isSnapshotShorter({ sequence, chunks: chunkHashes.length }, reached, first) ? found : undefined;
  }

  /**
   * The table as the snapshot has it; questions are answered in between.
   *
   * @throws SnapshotDamaged when it has not the digest of its manifest
   */
  async load(snapshot: StoredSnapshot): Promise<NationalTable> {
    const table = new NationalTable(this.#region);
    const isWanted = (kind: string, region: string) => kind !== "decisions" || region === this.#region;
    for await (const chunk of snapshotChunks(this.#connection, this.#get, snapshot, isWanted)) {
      table.load({ rows: chunk.rows, decisions: decisionsOf(chunk), revokedBatches: chunk.revokedBatches });
      await turn();
    }
    const { sequence, digest } = snapshot.manifest;
    if (!table.arrive(sequence, digest))
      throw new SnapshotDamaged(`the rows of snapshot ${sequence} do not have its digest`);
    return table;
  }
}

function decisionsOf({ decisions }: SnapshotChunk): DecisionAt[] {
  return decisions.flatMap(({ decision, sequence, atMs }) =>
    decision === undefined ? [] : [{ ...decision, sequence, atMs }],
  );
}
