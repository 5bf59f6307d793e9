import { headers, nuid, type MsgHdrs, type NatsConnection } from "nats";
import { expectedLastSequence } from "#proto/names.ts";

const acknowledgeWaitMs = 2_000;

/**
 * What one batch may hold. The server refuses more messages (max_batch_size,
 * nats-server 2.15), and more bytes would stand between an urgent message and
 * the line. Fewer go one by one: a batch has a store of its own while it is
 * put together, and costs as much as some fifteen messages (measured, synced:
 * 17 ms a batch of 2 as of 200, 1.1 ms a message).
 */
export const batchLimits = { messagesMin: 16, messagesMax: 1_000, bytesMax: 4 * 1024 * 1024 } as const;

/** How long the acknowledgement of a batch may take (ms). */
const batchWaitMs = 5_000;

/** A message and the subject under which the stream takes it. */
export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** The stream did not stand where the appender thought: read its cursor again. */
export class WrongSequence extends Error {
  override readonly name = "WrongSequence";
}

/**
 * Compare-and-append: stores `data` as message number `sequence` of the stream
 * that takes `subject`, or refuses. A repeated or stale append changes nothing,
 * so an append whose answer was lost may simply be tried again.
 *
 * @param waitMs how long the acknowledgement may take
 * @throws WrongSequence when the stream's last message is not `sequence - 1`
 */
export async function appendAt(
  connection: NatsConnection,
  subject: string,
  sequence: number,
  data: Uint8Array,
  waitMs: number = acknowledgeWaitMs,
): Promise<void> {
  const header = headers();
  header.set(expectedLastSequence, String(sequence - 1));
  const answer = await connection.request(subject, data, { headers: header, timeout: waitMs });
  const stored = parseAcknowledgement(answer.data);
  if (stored !== sequence) throw new WrongSequence(`stored as ${stored} where ${sequence} was meant`);
}

/**
 * Compare-and-append of messages that follow each other, as one: all of them
 * are stored, from `sequence` on, or none. The server syncs its disk once a
 * batch (ADR-50, atomic batch publish), so it costs little more than one
 * message. Only for streams with `allow_atomic`.
 *
 * @param messages within `batchLimits`, one at least
 * @param waitMs how long the acknowledgement may take
 * @throws WrongSequence when the stream's last message is not `sequence - 1`
 */
export async function appendBatch(
  connection: NatsConnection,
  sequence: number,
  messages: readonly Message[],
  waitMs: number = batchWaitMs,
): Promise<void> {
  const last = sequence + messages.length - 1;
  const expectation = { [expectedLastSequence]: String(sequence - 1) };
  const stored = await publishBatch(connection, messages, expectation, waitMs);
  if (stored !== last) throw new WrongSequence(`the batch ends at ${stored} where ${last} was meant`);
}

/**
 * Publishes messages that are stored together or not at all. A single one goes
 * without the headers of a batch, so that any stream takes it.
 *
 * @param expectation headers that say where the stream must stand; they are checked once, for the first message
 * @returns the sequence of the last one
 * @throws WrongSequence when the expectation was not met
 */
export async function publishBatch(
  connection: NatsConnection,
  messages: readonly Message[],
  expectation: Readonly<Record<string, string>>,
  waitMs: number,
): Promise<number> {
  const id = nuid.next();
  const [commit, ...before] = messages
    .map(({ subject, data }, index) => ({ subject, data, header: headerOf(index) }))
    .toReversed();
  if (commit === undefined) throw new RangeError("a batch without a message");
  // What stands before the last is not acknowledged one by one: the commit tells of all.
  for (const { subject, data, header } of before.toReversed())
    connection.publish(subject, data, { headers: header });
  const answer = await connection.request(commit.subject, commit.data, {
    headers: commit.header,
    timeout: waitMs,
  });
  return parseAcknowledgement(answer.data);

  function headerOf(index: number): MsgHdrs {
    const header = headers();
    if (index === 0) for (const [name, value] of Object.entries(expectation)) header.set(name, value);
    if (messages.length === 1) return header;
    header.set("Nats-Batch-Id", id);
    header.set("Nats-Batch-Sequence", String(index + 1));
    if (index === messages.length - 1) header.set("Nats-Batch-Commit", "1");
    return header;
  }
}

/**
 * The same over one subject alone, for a subject with a single writer: stores
 * `data` after that subject's message number `last`, or refuses.
 *
 * @param last sequence of the subject's last message; 0: it has none
 * @param waitMs how long the acknowledgement may take
 * @returns the sequence that it was stored with
 * @throws WrongSequence when the subject's last message is another one
 */
export async function appendAfter(
  connection: NatsConnection,
  subject: string,
  last: number,
  data: Uint8Array,
  waitMs: number = acknowledgeWaitMs,
): Promise<number> {
  const header = headers();
  header.set("Nats-Expected-Last-Subject-Sequence", String(last));
  const answer = await connection.request(subject, data, { headers: header, timeout: waitMs });
  return parseAcknowledgement(answer.data);
}

interface Acknowledgement {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** JSWrongLastSequenceErr and its variants (nats-server, server/errors.json). */
const wrongLastSequenceCodes: readonly number[] = [10071, 10164];

/**
 * Reads a publish acknowledgement.
 *
 * @returns the sequence that the message was stored with
 * @throws WrongSequence when an expectation was not met, Error with the server's words otherwise
 */
export function parseAcknowledgement(data: Uint8Array): number {
  const answer = JSON.parse(new TextDecoder().decode(data)) as Acknowledgement;
  if (answer.error !== undefined) {
    const words = answer.error.description ?? "refused";
    if (wrongLastSequenceCodes.includes(answer.error.err_code ?? 0)) throw new WrongSequence(words);
    throw new Error(`the stream refused: ${words}`);
  }
  if (answer.seq === undefined) throw new Error("an acknowledgement without a sequence");
  return answer.seq;
}
