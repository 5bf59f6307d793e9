import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { SnapshotChunk, SnapshotManifest } from "#proto/qalqan/events/v1/snapshot.ts";
import { batchGet } from "./batch-get.ts";
import type { NatsConnection } from "./nats.ts";

const askWaitMs = 2_000;
/** Requests for chunks that are on their way at once. */
const askedAtOnceMax = 4;
/** A chunk is made to stay below 1 MiB before it is compressed; one that unpacks to more than this is none. */
const chunkBytesMax = 4 * 1024 * 1024;

/** A complete snapshot in a stream. */
export interface StoredSnapshot {
  readonly manifest: SnapshotManifest;
  /** Sequence of the manifest in the stream; its chunks end before it. */
  readonly message: number;
  /** The manifest as it is stored. */
  readonly bytes: Uint8Array;
}

/** A stream does not hold what its manifest says: it is being made anew, or was damaged. */
export class SnapshotDamaged extends Error {
  override readonly name = "SnapshotDamaged";
}

/**
 * The newest complete snapshot of a stream; undefined where there is none.
 *
 * @param get the stream's direct get as this account names it
 * @param subject under which manifests are stored
 */
export async function newestSnapshot(
  connection: NatsConnection,
  get: string,
  subject: string,
): Promise<StoredSnapshot | undefined> {
  const answer = await connection.request(get, JSON.stringify({ last_by_subj: subject }), {
    timeout: askWaitMs,
  });
  const code = answer.headers?.code ?? 0;
  if (code === 404) return undefined;
  if (code !== 0) throw new Error(`${get} answered ${code} ${answer.headers?.description ?? ""}`);
  const message = Number(answer.headers?.get("Nats-Sequence"));
  return { manifest: SnapshotManifest.decode(answer.data), message, bytes: answer.data };
}

/**
 * Reads the chunks of some parts of a snapshot, in order, each compared with
 * its hash in the manifest.
 *
 * @param wanted whether a part is read
 * @throws SnapshotDamaged
 */
export async function* snapshotChunks(
  connection: NatsConnection,
  get: string,
  { manifest }: StoredSnapshot,
  wanted: (kind: string, region: string) => boolean,
): AsyncGenerator<SnapshotChunk> {
  let index = 0;
  for (const { kind, region, chunks } of manifest.parts) {
    if (wanted(kind, region)) yield* readRange(connection, get, manifest, index, index + chunks);
    index += chunks;
  }
}

async function* readRange(
  connection: NatsConnection,
  get: string,
  manifest: SnapshotManifest,
  from: number,
  to: number,
): AsyncGenerator<SnapshotChunk> {
  const asked: Promise<Uint8Array>[] = [];
  const ask = (index: number) => {
    const reading = readChunk(connection, get, manifest, index);
    // It is awaited in its turn, perhaps after it has failed.
    reading.catch(() => undefined);
    asked.push(reading);
  };
  let next = from;
  while (next < to && asked.length < askedAtOnceMax) ask(next++);
  for (let index = from; index < to; index += 1) {
    const bytes = await asked.shift();
    if (next < to) ask(next++);
    if (bytes !== undefined) yield decodeChunk(bytes);
  }
}

/** @param bytes a chunk as it is stored: one Zstandard frame (RFC 8878) */
function decodeChunk(bytes: Uint8Array): SnapshotChunk {
  return SnapshotChunk.decode(zstdDecompressSync(bytes, { maxOutputLength: chunkBytesMax }));
}

async function readChunk(
  connection: NatsConnection,
  get: string,
  manifest: SnapshotManifest,
  index: number,
): Promise<Uint8Array> {
  const sequence = manifest.firstMessage + index;
  const [message] = await batchGet(connection, get, sequence, 1);
  if (message?.sequence !== sequence) throw new SnapshotDamaged(`chunk ${index} is not in the stream`);
  const hash = createHash("sha256").update(message.data).digest();
  if (!hash.equals(manifest.chunkHashes[index] ?? Buffer.alloc(0)))
    throw new SnapshotDamaged(`chunk ${index} is not the one that the manifest names`);
  return message.data;
}
