import { DeliverPolicy, type ConsumerMessages, type NatsConnection } from "nats";
import { pause } from "./lifecycle.ts";

/** One message of a stream, as it is stored. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** When the server stored it: milliseconds since 1970, with a fraction. */
  readonly storedAtMs: number;
}

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

const fetchedMessagesMax = 500;
const retryWaitMs = 200;
/** A server that is being started again has this long to answer; then it is asked again. */
const askWaitMs = 1_500;

/**
 * Reads a stream in order, from the message after a sequence, for ever:
 * through restarts of the server and lost connections, without gaps and
 * without repeats. Ends when the signal aborts.
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
  let last = after;
  while (!signal.aborted) {
    let messages: ConsumerMessages | undefined;
    try {
      messages = await consume(connection, stream, last, filter);
      const stop = () => void messages?.close();
      signal.addEventListener("abort", stop, { once: true });
      try {
        for await (const message of messages) {
          if (message.seq <= last) continue;
          if (filter === undefined && message.seq !== last + 1)
            throw new StreamGap(stream, last + 1, message.seq);
          last = message.seq;
          yield {
            sequence: message.seq,
            subject: message.subject,
            data: message.data,
            storedAtMs: message.info.timestampNanos / 1e6,
          };
        }
      } finally {
        signal.removeEventListener("abort", stop);
        await messages.close().catch(() => undefined);
      }
    } catch (error) {
      if (connection.isClosed()) return;
      if (!isTemporary(error)) throw error;
    }
    await pause(retryWaitMs, signal);
  }
}

async function consume(
  connection: NatsConnection,
  stream: string,
  last: number,
  filter: string | undefined,
): Promise<ConsumerMessages> {
  const consumer = await connection.jetstream({ timeout: askWaitMs }).consumers.get(stream, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: last + 1,
    ...(filter === undefined ? {} : { filterSubjects: filter }),
  });
  return consumer.consume({ max_messages: fetchedMessagesMax, idle_heartbeat: 2_000, expires: 10_000 });
}

/** Anything the server or the line may do while it restarts; a programming error is not. */
function isTemporary(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof StreamGap);
}
