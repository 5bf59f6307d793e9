import { RequestStrategy } from "nats";
import type { NatsConnection } from "./nats.ts";

const batchMessagesMax = 256;
const batchBytesMax = 900_000;
const answerWaitMs = 5_000;

/** A message as a direct get gives it. */
export interface FoundMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly storedAtMs: number;
}

/**
 * The messages of a stream under a subject, from a sequence or a time on, to
 * the end that the stream has now (ADR-31, batched direct get).
 *
 * @param subject may have wildcards
 * @throws Error when the server does not answer
 */
export async function* findMessages(
  connection: NatsConnection,
  stream: string,
  subject: string,
  from: { readonly sequence: number } | { readonly atMs: number },
): AsyncGenerator<FoundMessage> {
  let start: object =
    "sequence" in from ? { seq: from.sequence } : { start_time: new Date(from.atMs).toISOString() };
  for (;;) {
    const found = await findBatch(connection, stream, { ...start, next_by_subj: subject });
    yield* found;
    const last = found.at(-1);
    if (last === undefined) return;
    start = { seq: last.sequence + 1 };
  }
}

async function findBatch(connection: NatsConnection, stream: string, asked: object): Promise<FoundMessage[]> {
  const subject = `$JS.API.DIRECT.GET.${stream}`;
  const request = JSON.stringify({ ...asked, batch: batchMessagesMax, max_bytes: batchBytesMax });
  const answers = await connection.requestMany(subject, request, {
    strategy: RequestStrategy.SentinelMsg,
    maxWait: answerWaitMs,
  });
  const found: FoundMessage[] = [];
  for await (const answer of answers) {
    if (answer instanceof Error) throw answer;
    const code = answer.headers?.code ?? 0;
    // 204: end of batch; 404: nothing from there on.
    if (code === 204 || code === 404) return found;
    if (code !== 0) throw new Error(`${subject} answered ${code} ${answer.headers?.description ?? ""}`);
    const header = (name: string) => answer.headers?.get(name) ?? "";
    found.push({
      sequence: Number(header("Nats-Sequence")),
      subject: header("Nats-Subject"),
      data: answer.data,
      storedAtMs: Date.parse(header("Nats-Time-Stamp")),
    });
  }
  throw new Error(`${subject} did not answer to the end within ${answerWaitMs} ms`);
}
