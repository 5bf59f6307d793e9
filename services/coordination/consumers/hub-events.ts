import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { systemSubject } from "#proto/names.ts";
import { readHubEvent } from "../domain/hub-events.ts";
import type { Refusals } from "#domain/refusals.ts";

/** Events that wait to be read; more are dropped by the client library, and are in the hub's log. */
const waitingMax = 1_000;
const drainEveryMs = 250;

/**
 * Hears from the hub's own account whom a node of it has not let in, and whose
 * line it has ended, until the signal. The hub does not store these events:
 * what happens while nobody leads is in its log alone.
 */
export async function hearHub(
  connection: NatsConnection,
  refusals: Refusals,
  signal: AbortSignal,
): Promise<void> {
  const waiting: string[] = [];
  const subscriptions = [systemSubject.disconnected, systemSubject.notLetIn].map((subject) =>
    connection.subscribe(subject, {
      callback: (_, message) => {
        if (waiting.length < waitingMax) waiting.push(message.string());
      },
    }),
  );
  while (await pause(drainEveryMs, signal)) {
    const nowMs = Date.now();
    for (const text of waiting.splice(0)) {
      const refused = readHubEvent(text);
      if (refused === undefined) continue;
      const { what, region, actor, detail } = refused;
      refusals.note(`${what} ${region} ${actor} ${detail["reason"] ?? ""}`, refused, 1, nowMs);
    }
  }
  for (const each of subscriptions) each.unsubscribe();
}
