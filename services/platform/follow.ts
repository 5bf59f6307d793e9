import { ErrorCode, NatsError } from "nats";
import { pause } from "./lifecycle.ts";
import type { NatsConnection } from "./nats.ts";
import { readerName, StreamReader, type ReadLimits, type StoredMessage } from "./stream-reader.ts";

export type { StoredMessage } from "./stream-reader.ts";

/** The stream no longer holds what comes next: the reader needs another source. */
export class StreamGap extends Error {
  override readonly name = "StreamGap";
  readonly expected: number;
  readonly found: number;

  constructor(stream: string, expected: number, found: number) {
    super(`${stream} goes on with ${found} where ${expected} was expected`);
    this.expected = expected;
    this.found = found;
  }
}

const retryWaitMs = 200;
/** A server that is being started again has this long to answer; then it is asked again. */
const askWaitMs = 1_000;

/**
 * Reads a stream in order, from the message after a sequence, for ever:
 * through restarts of the server and lost connections, without gaps and
 * without repeats, and no faster than it is read. Ends when the signal aborts.
 *
 * @param after sequence already known; 0: from the first message kept
 * @throws StreamGap when the stream has dropped messages after `after` that were not read
 */
export async function* follow(
  connection: NatsConnection,
  stream: string,
  after: number,
  signal: AbortSignal,
  filter?: string,
): AsyncGenerator<StoredMessage> {
  for await (const messages of followMany(connection, stream, after, signal, one, filter)) yield* messages;
}

const one: ReadLimits = { messagesMax: 1, bytesMax: 0 };

/**
 * The same, and what waits comes together: lists of messages, none empty.
 *
 * @param most what one list may hold; the bytes of a single message may be more
 */
export async function* followMany(
  connection: NatsConnection,
  stream: string,
  after: number,
  signal: AbortSignal,
  most: ReadLimits,
  filter?: string,
): AsyncGenerator<readonly StoredMessage[]> {
  let last = after;
  let name = readerName();
  while (!signal.aborted) {
    let reader: StreamReader | undefined;
    try {
      reader = await StreamReader.open(connection, { stream, after: last, filter }, name, askWaitMs);
      name = readerName();
      for (;;) {
        const read = await reader.next(signal, most);
        if (read.length === 0) return;
        const messages = read.filter(({ sequence }) => sequence > last);
        for (const { sequence } of messages) {
          if (filter === undefined && sequence !== last + 1) throw new StreamGap(stream, last + 1, sequence);
          last = sequence;
        }
        if (messages.length > 0) yield messages;
      }
    } catch (error) {
      if (connection.isClosed()) return;
      if (!isTemporary(error)) throw error;
      // A reader whose answer was late is asked for again by its name, so that it is there once.
      if (!isTimeout(error)) name = readerName();
    } finally {
      reader?.close();
    }
    await pause(retryWaitMs, signal);
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.Timeout;
}

/** Anything the server or the line may do while it restarts; a programming error is not. */
function isTemporary(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof StreamGap);
}
