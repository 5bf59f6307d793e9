import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { Lane } from "#proto/names.ts";
import { heartbeatMs } from "./config.ts";
import type { NewestSeal } from "./newest-seal.ts";
import type { OwnEvents } from "./own-events.ts";
import { readNumbers } from "./producer-numbers.ts";
import type { StreamReports } from "./stream-reports.ts";

/**
 * Says in the region's own EVENTS that the region lives, how its streams stand
 * and how far its producers are, until the signal; it goes up like every event.
 *
 * @param told called when a heartbeat is stored, with the message of each lane up to which it tells the numbers
 */
export async function sendHeartbeats(
  connection: NatsConnection,
  own: OwnEvents,
  of: { readonly region: string; readonly regionEpoch: number; readonly release: string },
  reports: StreamReports,
  newest: NewestSeal,
  told: (upTo: Readonly<Record<Lane, number>>) => void,
  signal: AbortSignal,
): Promise<void> {
  do {
    const [streams, nationalSeal] = await Promise.all([reports.read(), newest.read()]);
    const known = await readNumbers(connection, of.regionEpoch).catch(() => undefined);
    // Without an answer the last heartbeat's numbers would be lost from sight: it is said a little later.
    if (known === undefined) continue;
    const value = { ...of, atMs: Date.now(), streams, numbers: [...known.numbers], nationalSeal };
    await own.append({ $case: "heartbeat", value }, signal);
    told(known.upTo);
  } while (await pause(heartbeatMs, signal));
}
