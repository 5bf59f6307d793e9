import { headers, type NatsConnection } from "nats";
import { expectedLastSequence } from "#proto/names.ts";

const acknowledgeWaitMs = 2_000;

/** The stream did not stand where the appender thought: read its cursor again. */
export class WrongSequence extends Error {
  override readonly name = "WrongSequence";
}

/**
 * Compare-and-append: stores `data` as message number `sequence` of the stream
 * that takes `subject`, or refuses. A repeated or stale append changes nothing,
 * so an append whose answer was lost may simply be tried again.
 *
 * @throws WrongSequence when the stream's last message is not `sequence - 1`
 */
export async function appendAt(
  connection: NatsConnection,
  subject: string,
  sequence: number,
  data: Uint8Array,
): Promise<void> {
  const header = headers();
  header.set(expectedLastSequence, String(sequence - 1));
  const answer = await connection.request(subject, data, { headers: header, timeout: acknowledgeWaitMs });
  const stored = parseAcknowledgement(answer.data);
  if (stored !== sequence) throw new WrongSequence(`stored as ${stored} where ${sequence} was meant`);
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
