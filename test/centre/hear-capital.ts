import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";

/** A region that does not hear the capital is cut off after fifteen seconds; each second it hears it. */
export function hearCapital(capital: NatsConnection): NodeJS.Timeout {
  return setInterval(() => capital.publish(hubSubject.heartbeat, new Uint8Array()), 1_000);
}
