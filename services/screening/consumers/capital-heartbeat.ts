import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";

/** Listens for the capital's heartbeat, which says that the line is there. */
export class CapitalHeartbeat {
  /** By a clock that nobody sets. */
  #heardAtMs: number | undefined;

  listen(connection: NatsConnection): void {
    connection.subscribe(hubSubject.heartbeat, {
      callback: (error) => {
        if (error === null) this.#heardAtMs = performance.now();
      },
    });
  }

  /** Milliseconds since it was last heard; -1: never. */
  get stalenessMs(): number {
    return this.#heardAtMs === undefined ? -1 : Math.round(performance.now() - this.#heardAtMs);
  }
}
