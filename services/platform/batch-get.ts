import { RequestStrategy, type NatsConnection } from "nats";

/** One message as it came out of a batch of direct gets, or live. */
export interface CopiedMessage {
  readonly sequence: number;
  readonly data: Uint8Array;
}

const batchMessagesMax = 1_000;
const batchBytesMax = 900_000;
const answerWaitMs = 5_000;

/**
 * Reads up to 1,000 messages of a stream from `sequence` on, by one request
 * (ADR-31 batched direct get).
 *
 * @param subject the stream's direct get as this account names it
 * @param messagesMax 1 to 1,000
 * @returns the messages in order; empty when there is none from `sequence` on
 */
export async function batchGet(
  connection: NatsConnection,
  subject: string,
  sequence: number,
  messagesMax = batchMessagesMax,
): Promise<CopiedMessage[]> {
  const request = JSON.stringify({ seq: sequence, batch: messagesMax, max_bytes: batchBytesMax });
  const answers = await connection.requestMany(subject, request, {
    strategy: RequestStrategy.SentinelMsg,
    maxWait: answerWaitMs,
  });
  const messages: CopiedMessage[] = [];
  for await (const answer of answers) {
    if (answer instanceof Error) throw answer;
    const code = answer.headers?.code ?? 0;
    // 204: end of batch; 404: nothing from there on.
    if (code === 204 || code === 404) break;
    if (code !== 0) throw new Error(`${subject} answered ${code} ${answer.headers?.description ?? ""}`);
    const found = Number(answer.headers?.get("Nats-Sequence"));
    if (!Number.isSafeInteger(found)) throw new Error(`${subject} answered without a sequence`);
    messages.push({ sequence: found, data: answer.data });
  }
  return messages;
}

/**
 * First and last sequence of a stream, asked under the name that this account has for it.
 *
 * @param waitMs how long the answer may take
 */
export async function streamRange(
  connection: NatsConnection,
  subject: string,
  waitMs: number = answerWaitMs,
): Promise<{ first: number; last: number }> {
  const answer = await connection.request(subject, "", { timeout: waitMs });
  const info = JSON.parse(new TextDecoder().decode(answer.data)) as {
    readonly state?: { readonly first_seq: number; readonly last_seq: number };
    readonly error?: { readonly description?: string };
  };
  if (info.state === undefined)
    throw new Error(`${subject}: ${info.error?.description ?? "no state in the answer"}`);
  return { first: info.state.first_seq, last: info.state.last_seq };
}
