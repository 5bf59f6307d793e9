import { Wake } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import type { Lane } from "#proto/names.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";

/**
 * Writes a producer's own events into a lane, in whichever epoch the lane is.
 * An event that was on its way when the epoch changed is written again in the
 * new one: its first copy may be fed again too, and readers pass a repetition
 * over.
 */
export class LaneWriter {
  readonly #connection: NatsConnection;
  readonly #lane: Lane;
  readonly #name: string;
  readonly #begun = new Wake();
  #epoch = 0;
  #turned = new AbortController();
  #producer: LaneProducer | undefined;

  constructor(connection: NatsConnection, lane: Lane, name: string) {
    this.#connection = connection;
    this.#lane = lane;
    this.#name = name;
  }

  /** The lane goes on in this epoch. */
  turnTo(epoch: number): void {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#producer = undefined;
    this.#turned.abort();
    this.#turned = new AbortController();
    this.#begun.notify();
  }

  /**
   * Stores the event, however long that takes. One at a time.
   *
   * @throws ProducerReplaced, or the signal's reason when it aborts first
   */
  async append(event: Omit<Event, "outbox">, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#epoch === 0) {
        await this.#begun.wait(firstEpochWaitMs, signal);
        continue;
      }
      const turned = this.#turned.signal;
      const ends = AbortSignal.any([signal, turned]);
      try {
        this.#producer ??= await LaneProducer.open(
          this.#connection,
          this.#lane,
          this.#epoch,
          this.#name,
          ends,
        );
        await this.#producer.append(event, ends);
        return;
      } catch (error) {
        if (signal.aborted || !turned.aborted) throw error;
      }
    }
  }
}

/** How often it is looked whether the first epoch is known (ms). */
const firstEpochWaitMs = 1_000;
