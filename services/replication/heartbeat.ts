import { pause } from "#platform/lifecycle.ts";
import { heartbeatMs } from "./config.ts";
import type { OwnEvents } from "./own-events.ts";
import type { StreamReports } from "./stream-reports.ts";

/**
 * Says in the region's own EVENTS that the region lives, and how its streams
 * stand, until the signal; it goes up like every event.
 */
export async function sendHeartbeats(
  own: OwnEvents,
  of: { readonly region: string; readonly regionEpoch: number; readonly release: string },
  reports: StreamReports,
  signal: AbortSignal,
): Promise<void> {
  do {
    const streams = await reports.read();
    await own.append({ $case: "heartbeat", value: { ...of, atMs: Date.now(), streams } }, signal);
  } while (await pause(heartbeatMs, signal));
}
