import { pause } from "#platform/lifecycle.ts";
import type { LaneProducer } from "#platform/producer.ts";
import { heartbeatMs } from "./config.ts";

/** Says in the region's own EVENTS that the region lives, until the signal; it goes up like every event. */
export async function sendHeartbeats(
  producer: LaneProducer,
  of: { readonly region: string; readonly regionEpoch: number; readonly release: string },
  signal: AbortSignal,
): Promise<void> {
  do {
    const atMs = Date.now();
    await producer.append(
      { atMs, body: { $case: "heartbeat", value: { ...of, atMs, streams: [] } } },
      signal,
    );
  } while (await pause(heartbeatMs, signal));
}
