import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  nanos,
  nuid,
  ReplayPolicy,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
} from "nats";
import { Wake } from "./lifecycle.ts";
import { onDisconnect } from "./nats.ts";

/** One message of a stream, as it is stored. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** When the server stored it: milliseconds since 1970, with a fraction. */
  readonly storedAtMs: number;
}

/** What was sent may not all have arrived, or nothing is sent any more: read on by another reader. */
export class ReaderLost extends Error {
  override readonly name = "ReaderLost";
}

/** One request to the server: so much is sent unasked for at most, and waits here in memory. */
const pulledMessagesMax = 1_000;
/** More than the largest message of a server (1 MiB), or that message would never come. */
const pulledBytesMax = 2 * 1024 * 1024;
/** With so few messages left here, more are asked for. */
const lowMessages = 100;
/** While the server says that more is on its way, a list waits for it so long (ms): a batch costs as much as some messages. */
const gatherMs = 50;
const pullExpiresMs = 10_000;
const heartbeatMs = 2_000;
/** A server that is alive says so every two seconds. */
const silenceMaxMs = 4_500;
/** The server forgets a reader that has not asked for so long. */
const forgottenAfterMs = 60_000;

/** What a request ends with although all is well: its time, or its bytes, are used up. */
const endOfPull = /^(request timeout|message size exceeds maxbytes|batch completed)$/i;

/** Where to read from. */
export interface ReadFrom {
  readonly stream: string;
  /** Sequence already known; 0: from the first message kept. */
  readonly after: number;
  /** Only messages of these subjects. */
  readonly filter: string | undefined;
}

/** How much of what waits is taken at once. */
export interface ReadLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

/** A name that no other reader has: opening one again under it, after an answer was lost, is the same reader. */
export function readerName(): string {
  return nuid.next();
}

/**
 * Reads a stream once, in order, as fast as it is asked: what is not asked for
 * stays at the server. It never goes over a gap: where something was lost on
 * its way it ends with ReaderLost, and whoever reads opens another after the
 * last message that came. (The client library's own ordered consumer buffers
 * without limit, waits up to 15 s after a request that failed, and sends what was
 * lost with a connection only when a later message shows the gap.)
 */
export class StreamReader {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #name: string;
  readonly #inbox = createInbox();
  readonly #wake = new Wake();
  readonly #messages: StoredMessage[] = [];
  readonly #close: () => void;
  #pulls = 0;
  /** Messages that the running request may still bring; 0: none runs. */
  #awaited = 0;
  /** Messages that the stream had after the one that arrived last, when that was sent. */
  #pending = 0;
  /** Messages that have arrived, as the server counts them. */
  #arrived = 0;
  #lost: ReaderLost | undefined;

  private constructor(connection: NatsConnection, manager: JetStreamManager, stream: string, name: string) {
    this.#connection = connection;
    this.#manager = manager;
    this.#stream = stream;
    this.#name = name;
    const subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
        else this.#lose(error.message);
      },
    });
    const forget = onDisconnect(connection, () => this.#lose("the connection was lost"));
    this.#close = () => {
      forget();
      subscription.unsubscribe();
    };
  }

  /**
   * @param name of this reader at the server (readerName)
   * @param waitMs how long the answer may take
   * @throws when the server does not answer, or has no such stream
   */
  static async open(
    connection: NatsConnection,
    { stream, after, filter }: ReadFrom,
    name: string,
    waitMs: number,
  ): Promise<StreamReader> {
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: waitMs });
    await manager.consumers.add(stream, {
      name,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: after + 1,
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(forgottenAfterMs),
      ...(filter === undefined ? {} : { filter_subject: filter }),
    });
    return new StreamReader(connection, manager, stream, name);
  }

  /**
   * The messages that wait here, or the next one when none does, waiting for
   * it; none when the signal aborts.
   *
   * @param most of messages, and of their bytes unless the first alone is larger
   * @throws ReaderLost
   */
  async next(signal: AbortSignal, most: ReadLimits): Promise<StoredMessage[]> {
    while (!signal.aborted) {
      if (this.#lost === undefined && this.#awaited === 0 && this.#messages.length <= lowMessages)
        this.#pull();
      if (most.messagesMax > 1 && this.#messages.length > 0) await this.#gather(signal);
      const messages = this.#taken(most);
      if (messages.length > 0) return messages;
      if (this.#lost !== undefined) throw this.#lost;
      if (!(await this.#wake.wait(silenceMaxMs, signal)) && !signal.aborted)
        this.#lose("the server is silent");
    }
    return [];
  }

  /** Waits for the rest of what was asked for, as long as there is more in the stream; one that comes alone waits for nothing. */
  async #gather(signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + gatherMs;
    while (this.#pending > 0 && this.#awaited > 0 && this.#lost === undefined && !signal.aborted) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return;
      await this.#wake.wait(leftMs, signal);
    }
  }

  #taken({ messagesMax, bytesMax }: ReadLimits): StoredMessage[] {
    let bytes = 0;
    let count = 0;
    for (const { data } of this.#messages) {
      bytes += data.length;
      if (count >= messagesMax || (count > 0 && bytes > bytesMax)) break;
      count += 1;
    }
    return this.#messages.splice(0, count);
  }

  close(): void {
    this.#close();
    if (!this.#connection.isClosed())
      this.#manager.consumers.delete(this.#stream, this.#name).catch(() => undefined);
  }

  #pull(): void {
    this.#pulls += 1;
    this.#awaited = pulledMessagesMax;
    const request = {
      batch: pulledMessagesMax,
      max_bytes: pulledBytesMax,
      expires: nanos(pullExpiresMs),
      idle_heartbeat: nanos(heartbeatMs),
    };
    this.#connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#name}`,
      JSON.stringify(request),
      { reply: this.#pullSubject() },
    );
  }

  #pullSubject(): string {
    return `${this.#inbox}.${this.#pulls}`;
  }

  #take(message: Msg): void {
    if (message.subject.startsWith(this.#inbox)) this.#takeStatus(message);
    else this.#takeMessage(message);
    this.#wake.notify();
  }

  #takeMessage({ subject, data, reply = "" }: Msg): void {
    if (this.#lost !== undefined) return;
    const { sequence, consumerSequence, storedAtMs, pending } = placeOf(reply);
    this.#pending = pending;
    this.#arrived += 1;
    this.#awaited = Math.max(0, this.#awaited - 1);
    if (consumerSequence === this.#arrived) this.#messages.push({ sequence, subject, data, storedAtMs });
    else this.#lose(`message ${consumerSequence} came where ${this.#arrived} was expected`);
  }

  #takeStatus(message: Msg): void {
    const code = message.headers?.code ?? 0;
    const description = message.headers?.description ?? "";
    if (code === 100) {
      const sent = Number(message.headers?.get("Nats-Last-Consumer"));
      if (sent > this.#arrived) this.#lose(`${sent} messages were sent, ${this.#arrived} have come`);
    } else if (!endOfPull.test(description)) {
      this.#lose(`${code} ${description}`);
    } else if (message.subject === this.#pullSubject()) {
      this.#awaited = 0;
    }
  }

  #lose(why: string): void {
    this.#lost ??= new ReaderLost(`${this.#stream}: ${why}`);
    this.#wake.notify();
  }
}

const plainReplyTokens = 9;

/**
 * Where a message stands, as its reply subject says (ADR-15):
 * `$JS.ACK[.domain.account].stream.consumer.delivered.sequence.consumer sequence.nanoseconds.pending`.
 */
function placeOf(reply: string) {
  const tokens = reply.split(".");
  const from = (tokens.length > plainReplyTokens ? 4 : 2) + 3;
  const numbers = tokens.slice(from, from + 4).map(Number);
  const [sequence = Number.NaN, consumerSequence = Number.NaN, nanoseconds = Number.NaN, pending = 0] =
    numbers;
  return { sequence, consumerSequence, storedAtMs: nanoseconds / 1e6, pending };
}
