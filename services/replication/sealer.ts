import { leafHash } from "#domain/merkle.ts";
import {
  chainStart,
  endOfChain,
  nextSeal,
  sealEveryMs,
  type ChainEnd,
  type SealedStream,
  type SealingKey,
} from "#domain/seal.ts";
import { Unsealed, wantsSeal } from "#domain/unsealed.ts";
import { follow, StreamGap } from "#platform/follow.ts";
import { pause, untilAborted, Wake } from "#platform/lifecycle.ts";
import { onDisconnect, type NatsConnection } from "#platform/nats.ts";
import { sealMessage } from "#platform/seal-message.ts";
import { regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { askWaitMs, awayPollMs, unsealedMax } from "./config.ts";
import type { LaneStates } from "./lane-states.ts";
import type { OwnEvents } from "./own-events.ts";

const sealType = "seal";
const idleWaitMs = 60_000;
/** What the nation is told all regions hear, and answer, at once; their seals need not come to the hub at once, too. */
const sealedEarlierMax = 0.3;

/**
 * Seals one lane of the region, in one epoch, until the signal. What is sealed
 * already stands in the stream itself: whatever ends in between, the chain goes
 * on after the last seal that is stored there, so it never forks and never
 * leaves a message out. Ours is the one producer of seals.
 */
export class LaneSealer {
  readonly #connection: NatsConnection;
  readonly #own: OwnEvents;
  readonly #key: SealingKey;
  readonly #of: SealedStream;
  readonly #stream: string;
  readonly #subject: string;

  /** @param own writes into that lane and epoch */
  constructor(
    connection: NatsConnection,
    own: OwnEvents,
    key: SealingKey,
    of: { readonly region: string; readonly lane: Lane; readonly epoch: number },
  ) {
    this.#connection = connection;
    this.#own = own;
    this.#key = key;
    this.#of = { stream: of.lane, site: of.region, epoch: of.epoch };
    this.#stream = regionStream.lane(of.lane, of.epoch);
    this.#subject = regionSubject.lane(of.lane, of.epoch, "replication", sealType);
  }

  async run(states: LaneStates, signal: AbortSignal): Promise<void> {
    const name = `seal ${this.#of.stream}`;
    while (!signal.aborted) {
      try {
        const end = await this.#lastSeal(signal);
        if (end !== undefined) await this.#sealAfter(end, signal);
      } catch (error) {
        // What comes after the last seal was dropped from the stream: a seal would claim what nobody can show.
        if (!(error instanceof StreamGap)) throw error;
        states.set(name, "stopped", error.message);
        await untilAborted(signal);
      }
    }
  }

  /** Where the chain stands in the stream; undefined when the signal aborts first. */
  async #lastSeal(signal: AbortSignal): Promise<ChainEnd | undefined> {
    while (!signal.aborted) {
      try {
        return await this.#askLastSeal();
      } catch {
        // The server is away, or its streams are not there yet.
        await pause(awayPollMs, signal);
      }
    }
    return undefined;
  }

  async #askLastSeal(): Promise<ChainEnd> {
    const request = JSON.stringify({ last_by_subj: this.#subject });
    const answer = await this.#connection.request(streamAsk.get(this.#stream), request, {
      timeout: askWaitMs,
    });
    const code = answer.headers?.code ?? 0;
    if (code === 404) return chainStart;
    if (code !== 0) throw new Error(`${this.#stream} answered ${code} ${answer.headers?.description ?? ""}`);
    const { body } = Event.decode(answer.data);
    if (body?.$case !== "seal") throw new TypeError(`the last message under ${this.#subject} is no seal`);
    return endOfChain(body.value);
  }

  /**
   * Reads on after the end of the chain, and seals. Ends with the signal, and
   * with the connection: a server that comes back may hold something else.
   */
  async #sealAfter(end: ChainEnd, signal: AbortSignal): Promise<void> {
    const attempt = new AbortController();
    const forget = onDisconnect(this.#connection, () => attempt.abort());
    const over = AbortSignal.any([signal, attempt.signal]);
    const unsealed = new Unsealed(sealEveryMs * (1 - Math.random() * sealedEarlierMax));
    const [arrived, room] = [new Wake(), new Wake()];
    const reading = this.#read(end.last, unsealed, arrived, room, over)
      .catch((error: unknown) => error)
      .finally(() => attempt.abort());
    try {
      await this.#sealWhatIsDue(end, unsealed, arrived, room, over, signal);
    } finally {
      attempt.abort();
      forget();
    }
    const failure = await reading;
    if (failure instanceof Error) throw failure;
  }

  async #read(
    after: number,
    unsealed: Unsealed,
    arrived: Wake,
    room: Wake,
    over: AbortSignal,
  ): Promise<undefined> {
    for await (const { subject, data } of follow(this.#connection, this.#stream, after, over)) {
      // A clock that is set back must not put a seal off.
      unsealed.add(leafHash(data), wants(subject, data), performance.now());
      arrived.notify();
      while (unsealed.count >= unsealedMax && !over.aborted) await room.wait(idleWaitMs, over);
    }
    return undefined;
  }

  async #sealWhatIsDue(
    from: ChainEnd,
    unsealed: Unsealed,
    arrived: Wake,
    room: Wake,
    over: AbortSignal,
    signal: AbortSignal,
  ): Promise<void> {
    let end = from;
    while (!over.aborted) {
      const waitMs = (unsealed.dueAtMs ?? Infinity) - performance.now();
      if (waitMs > 0) {
        await arrived.wait(Math.min(waitMs, idleWaitMs), over);
        continue;
      }
      const leaves = unsealed.next();
      const seal = nextSeal(this.#of, end, leaves, this.#key, Date.now());
      await this.#own.append({ $case: sealType, value: sealMessage(seal) }, signal);
      end = endOfChain(seal);
      unsealed.sealed(leaves.length);
      room.notify();
    }
  }
}

/** Whether a message makes a seal due. Receipts alone have to be read for that: the subject names the body. */
function wants(subject: string, data: Uint8Array): boolean {
  const type = subject.slice(subject.lastIndexOf(".") + 1);
  if (type !== "receipt") return wantsSeal({ $case: type, value: {} });
  try {
    return wantsSeal(Event.decode(data).body);
  } catch {
    return true;
  }
}
