import type { LaneProducer } from "#platform/producer.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";

/** What replication itself says in one lane: several parts of it speak, one append at a time. */
export class OwnEvents {
  readonly #producer: LaneProducer;
  #before: Promise<unknown> = Promise.resolve();

  constructor(producer: LaneProducer) {
    this.#producer = producer;
  }

  /**
   * Stores an event after those that were given before it.
   *
   * @returns its sequence in the lane
   * @throws as LaneProducer.append
   */
  append(body: NonNullable<Event["body"]>, signal: AbortSignal): Promise<number> {
    const append = () => this.#producer.append({ atMs: Date.now(), body }, signal);
    const appended = this.#before.then(append, append);
    this.#before = appended.catch(() => undefined);
    return appended;
  }
}
