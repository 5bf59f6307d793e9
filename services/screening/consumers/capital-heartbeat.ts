import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";
import { NationalHeartbeat } from "#proto/qalqan/events/v1/events.ts";

/** Listens for the capital's heartbeat, which says that the line is there and how far NATIONAL is. */
export class CapitalHeartbeat {
  /** By a clock that nobody sets. */
  #heardAtMs: number | undefined;

  /** @param said called with the capital's epoch and the sequence of NATIONAL */
  listen(connection: NatsConnection, said: (epoch: number, sequence: number) => void): void {
    connection.subscribe(hubSubject.heartbeat, {
      callback: (error, { data }) => {
        if (error !== null) return;
        this.#heardAtMs = performance.now();
        const heartbeat = decode(data);
        if (heartbeat !== undefined) said(heartbeat.epoch, heartbeat.sequence);
      },
    });
  }

  /** Milliseconds since it was last heard; -1: never. */
  get stalenessMs(): number {
    return this.#heardAtMs === undefined ? -1 : Math.round(performance.now() - this.#heardAtMs);
  }
}

/** Undefined: it cannot be read; that it came is enough to know that the line is there. */
function decode(data: Uint8Array): NationalHeartbeat | undefined {
  try {
    return NationalHeartbeat.decode(data);
  } catch {
    return undefined;
  }
}
