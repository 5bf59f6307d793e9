import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";
import { cutOffAfterMs } from "../config.ts";

/** Hears the capital: a region counts as cut off after 15 s of silence. */
export class CapitalHearing {
  /** By a clock that nobody sets; a start is given the benefit of the doubt. */
  #heardAtMs = performance.now();

  get isCutOff(): boolean {
    return performance.now() - this.#heardAtMs > cutOffAfterMs;
  }

  /** Listens until the signal; the subscription survives reconnects. */
  async listen(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const subscription = connection.subscribe(hubSubject.heartbeat);
    signal.addEventListener("abort", () => subscription.unsubscribe(), { once: true });
    for await (const heartbeat of subscription) {
      if (heartbeat.subject === hubSubject.heartbeat) this.#heardAtMs = performance.now();
    }
  }
}
