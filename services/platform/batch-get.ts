import { createInbox, type Msg, type NatsConnection } from "nats";

/** One message as it came out of a batch of direct gets, or live. */
export interface CopiedMessage {
  readonly sequence: number;
  /** Under which the stream that was asked holds it. */
  readonly subject: string;
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
 * @param messagesMax fewer than 1,000
 * @param silenceMaxMs the batch ends with what has come when nothing more comes for so long
 * @param isLost asked after such a silence
 * @returns the messages in order; empty when there is none from `sequence` on
 * @throws when the stream is silent, or refuses
 */
export async function batchGet(
  connection: NatsConnection,
  subject: string,
  sequence: number,
  messagesMax: number = batchMessagesMax,
  silenceMaxMs: number = answerWaitMs,
  isLost: IsLost = silenceIsLoss,
): Promise<CopiedMessage[]> {
  const request = JSON.stringify({ seq: sequence, batch: messagesMax, max_bytes: batchBytesMax });
  return askForMany(connection, subject, request, silenceMaxMs, isLost);
}

/**
 * The same for the messages of some subjects alone.
 *
 * @param subjects which of the stream's, with wildcards
 */
export async function batchGetOf(
  connection: NatsConnection,
  subject: string,
  subjects: string,
  sequence: number,
): Promise<CopiedMessage[]> {
  const of = { seq: sequence, next_by_subj: subjects };
  const request = JSON.stringify({ ...of, batch: batchMessagesMax, max_bytes: batchBytesMax });
  return askForMany(connection, subject, request, answerWaitMs);
}

/**
 * The last message of each subject of a stream: at most 1,024 subjects, or the
 * server refuses (ADR-31).
 *
 * @param subject the stream's direct get as this account names it
 * @param subjects which of the stream's subjects
 */
export async function lastOfEachSubject(
  connection: NatsConnection,
  subject: string,
  subjects: string,
): Promise<CopiedMessage[]> {
  return askForMany(connection, subject, JSON.stringify({ multi_last: [subjects] }), answerWaitMs);
}

/**
 * Whether the rest of a batch that is silent will never come. Never rejects.
 *
 * @param goesOn whether more of it has come meanwhile: then it is not lost
 */
export type IsLost = (goesOn: () => boolean) => Promise<boolean>;

const silenceIsLoss: IsLost = async (goesOn) => !goesOn();

async function askForMany(
  connection: NatsConnection,
  subject: string,
  request: string,
  silenceMaxMs: number,
  isLost: IsLost = silenceIsLoss,
): Promise<CopiedMessage[]> {
  const messages: CopiedMessage[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const silent = async () => {
    const before = messages.length;
    if (!(await isLost(() => messages.length > before))) return;
    if (messages.length > 0) resolve();
    else reject(new StreamSilent(`${subject} does not answer`));
  };
  let timer = setTimeout(() => void silent(), silenceMaxMs);
  const inbox = createInbox();
  const subscription = connection.subscribe(inbox, {
    callback: (error, answer) => {
      if (error !== null) return reject(error);
      clearTimeout(timer);
      timer = setTimeout(() => void silent(), silenceMaxMs);
      try {
        const message = readAnswer(subject, answer);
        if (message === undefined) resolve();
        else messages.push(message);
      } catch (refusal) {
        reject(refusal);
      }
    },
  });
  try {
    connection.publish(subject, request, { reply: inbox });
    await promise;
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
  return messages;
}

/** @returns undefined at the end of the batch, and where there is nothing */
function readAnswer(subject: string, { headers, data }: Msg): CopiedMessage | undefined {
  const code = headers?.code ?? 0;
  if (code === 204 || code === 404) return undefined;
  if (code !== 0) throw new StreamUnavailable(`${subject} answered ${code} ${headers?.description ?? ""}`);
  const sequence = Number(headers?.get("Nats-Sequence"));
  if (!Number.isSafeInteger(sequence)) throw new Error(`${subject} answered without a sequence`);
  return { sequence, subject: headers?.get("Nats-Subject") ?? "", data };
}

/**
 * The message under a sequence.
 *
 * @param subject the stream's direct get as this account names it
 * @returns undefined when the stream does not keep it
 */
export async function messageAt(
  connection: NatsConnection,
  subject: string,
  sequence: number,
  waitMs: number = answerWaitMs,
): Promise<CopiedMessage | undefined> {
  return getOne(connection, subject, { seq: sequence }, waitMs);
}

/** The last message of a subject, which may end in a wildcard; undefined when there is none. */
export async function lastOfSubject(
  connection: NatsConnection,
  subject: string,
  last: string,
  waitMs: number = answerWaitMs,
): Promise<CopiedMessage | undefined> {
  return getOne(connection, subject, { last_by_subj: last }, waitMs);
}

async function getOne(
  connection: NatsConnection,
  subject: string,
  request: object,
  waitMs: number,
): Promise<CopiedMessage | undefined> {
  const answer = await connection.request(subject, JSON.stringify(request), { timeout: waitMs });
  return readAnswer(subject, answer);
}

/** A stream as its server describes it. */
export interface StreamState {
  /** `last + 1` when nothing is kept. */
  readonly first: number;
  readonly last: number;
  /** On disk, and the most that it takes. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** It takes batches (`allow_atomic`); those that an older release made do not. */
  readonly takesBatches: boolean;
}

/** The stream could not be asked now: its server is away, or says so. */
export class StreamUnavailable extends Error {
  override readonly name: string = "StreamUnavailable";
}

/** It did not answer in the time that was given. */
export class StreamSilent extends StreamUnavailable {
  override readonly name = "StreamSilent";
}

/** There is no such stream. */
export class NoSuchStream extends StreamUnavailable {
  override readonly name = "NoSuchStream";
}

/** JSStreamNotFoundErr (nats-server, server/errors.json). */
const noSuchStreamCode = 10059;

interface StreamInformation {
  readonly state?: { readonly first_seq: number; readonly last_seq: number; readonly bytes: number };
  readonly config?: { readonly max_bytes?: number; readonly allow_atomic?: boolean };
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/**
 * The state of a stream, asked under the name that this account has for it.
 *
 * @param waitMs how long the answer may take
 * @throws NoSuchStream, or what keeps the server from answering
 */
export async function streamRange(
  connection: NatsConnection,
  subject: string,
  waitMs: number = answerWaitMs,
): Promise<StreamState> {
  const answer = await connection.request(subject, "", { timeout: waitMs });
  const { state, config, error } = JSON.parse(new TextDecoder().decode(answer.data)) as StreamInformation;
  if (error?.err_code === noSuchStreamCode) throw new NoSuchStream(`${subject}: there is no such stream`);
  if (state === undefined)
    throw new StreamUnavailable(`${subject}: ${error?.description ?? "no state in the answer"}`);
  return {
    // The server says 0 of a stream that never held anything.
    first: Math.max(1, state.first_seq),
    last: state.last_seq,
    bytes: state.bytes,
    bytesMax: config?.max_bytes ?? -1,
    takesBatches: config?.allow_atomic ?? false,
  };
}
