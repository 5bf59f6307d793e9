import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";

/** Listens for the capital's heartbeat, which says that the line is there. */
export class CapitalHeartbeat {
  #heardAtMs: number | undefined;

  listen(connection: NatsConnection): void {
    connection.subscribe(hubSubject.heartbeat, {
      callback: (error) => {
        if (error === null) this.#heardAtMs = Date.now();
      },
    });
  }

  /** Milliseconds since it was last heard; -1: never. */
  get stalenessMs(): number {
    return this.#heardAtMs === undefined ? -1 : Date.now() - this.#heardAtMs;
  }
}
