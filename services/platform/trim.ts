import { fullShare, type Retained } from "#domain/retention.ts";
import type { NatsConnection } from "./nats.ts";

const askWaitMs = 5_000;

/** How much of a stream stays. */
export interface Retention {
  readonly keptMessages: number;
  readonly keptMs: number;
}

/**
 * What a stream of the server that we are connected to holds, for the
 * decision how far it may be trimmed; undefined: there is no such stream.
 */
export async function retainedOf(
  connection: NatsConnection,
  stream: string,
  { keptMessages, keptMs }: Retention,
): Promise<Omit<Retained, "done"> | undefined> {
  const info = await infoOf(connection, stream);
  if (info === undefined) return undefined;
  const { state, config } = info;
  const { first_seq: first, last_seq: last, bytes } = state;
  const isFull = config.max_bytes > 0 && bytes >= fullShare * config.max_bytes;
  const aged = last < first ? 0 : await lastBefore(connection, stream, last, Date.now() - keptMs);
  return { first, last, aged, keptMessages, isFull };
}

async function infoOf(connection: NatsConnection, stream: string) {
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: askWaitMs });
  try {
    return await manager.streams.info(stream);
  } catch (error) {
    if (error instanceof Error && /stream not found/i.test(error.message)) return undefined;
    throw error;
  }
}

/** The last message that was stored before a time, by one batched direct get from that time on (ADR-31). */
async function lastBefore(
  connection: NatsConnection,
  stream: string,
  last: number,
  atMs: number,
): Promise<number> {
  const request = { start_time: new Date(atMs).toISOString(), batch: 1 };
  const answer = await connection.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(request), {
    timeout: askWaitMs,
  });
  const code = answer.headers?.code ?? 0;
  if (code === 404) return last;
  if (code !== 0) throw new Error(`${stream} answered ${code} ${answer.headers?.description ?? ""}`);
  return Number(answer.headers?.get("Nats-Sequence")) - 1;
}

/** Lets go of a stream's messages up to a sequence, and of none where it is undefined. */
export async function trimStream(
  connection: NatsConnection,
  stream: string,
  upTo: number | undefined,
): Promise<void> {
  if (upTo === undefined) return;
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: askWaitMs });
  await manager.streams.purge(stream, { seq: upTo + 1 });
}

/** A stream of the server that we are connected to, and how large it may become. */
export interface StreamSize {
  readonly last: number;
  /** When the last message was stored (ms since 1970); long ago where there was none. */
  readonly lastAtMs: number;
  readonly bytes: number;
  readonly bytesMax: number;
}

/** Undefined: there is no such stream. */
export async function sizeOf(connection: NatsConnection, stream: string): Promise<StreamSize | undefined> {
  const info = await infoOf(connection, stream);
  if (info === undefined) return undefined;
  const { state, config } = info;
  const { last_seq: last, last_ts: lastAt, bytes } = state;
  return { last, lastAtMs: Date.parse(lastAt), bytes, bytesMax: config.max_bytes };
}

/** Gives a stream another largest size, which what it holds must not reach. */
export async function resizeStream(
  connection: NatsConnection,
  stream: string,
  bytesMax: number,
): Promise<void> {
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: askWaitMs });
  await manager.streams.update(stream, { max_bytes: bytesMax });
}
