import { leafHash } from "#domain/merkle.ts";
import { follow } from "#platform/follow.ts";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, lanes, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { ReadUpTo } from "../domain/lane-end.ts";
import type { LanePlace } from "../store/regions.ts";
import type { WitnessedMessage } from "../seal-verifier.ts";

/** One message of a region's lane, in the order of the lane. */
export interface LaneMessage {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly stream: string;
  readonly sequence: number;
  /** Undefined: the bytes are no event. */
  readonly event: Event | undefined;
  /** Rows that it asks to write; 1 at least. */
  readonly rows: number;
  /** When the hub stored it. */
  readonly heardAtMs: number;
  /** `leafHash` of its bytes. */
  readonly leaf: Uint8Array;
}

export interface LaneToRead extends LanePlace {
  /** The last message that was read of it. */
  readonly after: ReadUpTo;
  readonly heard: () => void;
}

/** A message with more rows is bulk: it waits while there is urgent work. */
const smallRowsMax = 64;
const takenMessagesMax = 64;
const takenRowsMax = 500;
/**
 * Receipts and counters wait for others so long (ms): of twenty regions that were told one thing, the receipts
 * come one by one, and a step of a few costs as much as one of many.
 */
const eventsGatherMs = 50;
/** What one lane may hold in memory. */
const queuedMessagesMax = 128;
const queuedBytesMax = 4 * 1024 * 1024;
/** A reader that waits for room looks by itself this often (ms). */
const roomLookMs = 10_000;

interface Queue {
  readonly messages: { readonly message: LaneMessage; readonly bytes: number }[];
  bytes: number;
  /** Wakes the reader that waits for room. */
  readonly room: Wake;
}

/**
 * The lanes of all regions, read ahead into bounded queues. `take` gives what
 * the next step handles: urgent lanes first, the regions in turns.
 */
export class Lanes {
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #arrived: () => void;
  readonly #witness: (message: WitnessedMessage) => void;
  readonly #queues: Record<Lane, Map<string, Queue>> = { urgent: new Map(), events: new Map() };
  #turn = 0;
  /** When messages that are not urgent were taken (performance.now). */
  #tookEventsAtMs = 0;

  /**
   * @param arrived is called when there is something to take
   * @param witness sees each message as it is read
   */
  constructor(
    connection: NatsConnection,
    log: Log,
    arrived: () => void,
    witness: (message: WitnessedMessage) => void,
  ) {
    this.#connection = connection;
    this.#log = log;
    this.#arrived = arrived;
    this.#witness = witness;
  }

  /**
   * Reads one lane of one region in one epoch from the message after `after`, until the signal.
   *
   * @param heard is called with each message, before it waits to be taken
   * @throws StreamGap when the hub does not hold what comes next any more
   */
  async read({ region, lane, epoch, after, heard }: LaneToRead, signal: AbortSignal): Promise<ReadUpTo> {
    const stream = hubStream.up(lane, region, epoch);
    const name = queueName(region, epoch);
    const queue: Queue = this.#queues[lane].get(name) ?? { messages: [], bytes: 0, room: new Wake() };
    this.#queues[lane].set(name, queue);
    let read = after;
    for await (const stored of follow(this.#connection, stream, after.sequence, signal)) {
      const { sequence, data, storedAtMs } = stored;
      heard();
      const event = this.#decode(data, stream, sequence);
      const leaf = leafHash(data);
      this.#witness({ region, lane, epoch, event, leaf, ...stored });
      const rows = rowsOf(event);
      const message = {
        region,
        lane,
        epoch,
        stream,
        sequence,
        event,
        rows,
        heardAtMs: Math.floor(storedAtMs),
        leaf,
      };
      queue.messages.push({ message, bytes: data.length });
      queue.bytes += data.length;
      read = { sequence, leaf };
      this.#arrived();
      while (queue.messages.length >= queuedMessagesMax || queue.bytes >= queuedBytesMax) {
        if (signal.aborted) return read;
        await queue.room.wait(roomLookMs, signal);
      }
    }
    return read;
  }

  /** Nothing that was read of a lane and waits is taken any more: it is read again. */
  forget({ region, lane, epoch }: LanePlace): void {
    this.#queues[lane].delete(queueName(region, epoch));
  }

  /**
   * Takes up to 64 messages and about 500 rows (or one message of more) out of the queues.
   *
   * @param withEvents also takes messages that are not urgent, once they have waited for others
   * @param withBulk also takes messages of many rows where there is no urgent one
   */
  take(withEvents: boolean, withBulk: boolean): LaneMessage[] {
    const taken: LaneMessage[] = [];
    let rows = 0;
    const takesEvents = withEvents && this.#mayTakeEvents(withBulk);
    if (takesEvents) this.#tookEventsAtMs = performance.now();
    for (const lane of takesEvents ? lanes : (["urgent"] as const)) {
      const queues = this.#inTurn(lane);
      let tookAny = true;
      while (tookAny && taken.length < takenMessagesMax && rows < takenRowsMax) {
        tookAny = false;
        for (const queue of queues) {
          const next = queue.messages[0]?.message;
          if (next === undefined || taken.length >= takenMessagesMax) continue;
          const fits = next.rows <= smallRowsMax || (withBulk && rows + next.rows <= takenRowsMax);
          if (!fits && !(withBulk && taken.length === 0)) continue;
          taken.push(next);
          rows += next.rows;
          tookAny = true;
          drop(queue);
        }
      }
    }
    return taken;
  }

  /** In how many milliseconds what is not urgent has waited long enough for others; undefined: nothing waits. */
  get eventsDueInMs(): number | undefined {
    const waits = [...this.#queues.events.values()].some(({ messages }) => messages.length > 0);
    return waits ? Math.max(0, this.#tookEventsAtMs + eventsGatherMs - performance.now()) : undefined;
  }

  /** Bulk, and as much as a step takes, need not wait for more. */
  #mayTakeEvents(withBulk: boolean): boolean {
    const queues = [...this.#queues.events.values()];
    const waiting = queues.reduce((sum, { messages }) => sum + messages.length, 0);
    const hasBulk = () => queues.some(({ messages }) => (messages[0]?.message.rows ?? 0) > smallRowsMax);
    return this.eventsDueInMs === 0 || waiting >= takenMessagesMax || (withBulk && hasBulk());
  }

  /** Whether urgent messages wait. */
  get hasUrgent(): boolean {
    return [...this.#queues.urgent.values()].some(({ messages }) => messages.length > 0);
  }

  /** The queues of a lane, each time beginning with another region. */
  #inTurn(lane: Lane): Queue[] {
    const queues = [...this.#queues[lane].values()];
    this.#turn += 1;
    const first = queues.length === 0 ? 0 : this.#turn % queues.length;
    return [...queues.slice(first), ...queues.slice(0, first)];
  }

  #decode(data: Uint8Array, stream: string, sequence: number): Event | undefined {
    try {
      return Event.decode(data);
    } catch (error) {
      this.#log.warn({ stream, sequence, reason: String(error) }, "a message that is no event");
      return undefined;
    }
  }
}

const queueName = (region: string, epoch: number): string => `${region} ${epoch}`;

function drop(queue: Queue): void {
  const first = queue.messages.shift();
  queue.bytes -= first?.bytes ?? 0;
  queue.room.notify();
}

function rowsOf(event: Event | undefined): number {
  const body = event?.body;
  if (body?.$case === "directives") return Math.max(1, body.value.directives.length);
  return body?.$case === "counters" ? Math.max(1, body.value.calls.length) : 1;
}
