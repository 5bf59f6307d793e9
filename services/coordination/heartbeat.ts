import { Wake } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";
import { NationalHeartbeat } from "#proto/qalqan/events/v1/events.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Leader } from "./leader.ts";

const intervalMs = 5_000;
/** Regions that start together with the capital wait for its first word. */
const atFirst = { intervalMs: 1_000, forMs: 30_000 } as const;

/** Tells every region where NATIONAL stands, once in five seconds (at first more often), until the signal. */
export async function sendHeartbeats(
  connection: NatsConnection,
  leader: Leader,
  signal: AbortSignal,
): Promise<void> {
  const pace = new Wake();
  const beganMs = performance.now();
  while (!signal.aborted) {
    const { published, state, snapshots } = leader;
    const digest = state.digests.at(published);
    if (digest !== undefined && !connection.isClosed()) {
      const heartbeat = {
        epoch: capitalEpoch,
        sequence: published,
        digest: Buffer.from(digest),
        atMs: Date.now(),
        snapshotSequence: snapshots.written[0]?.sequence ?? 0,
      };
      connection.publish(hubSubject.heartbeat, NationalHeartbeat.encode(heartbeat).finish());
      state.heartbeat = published;
    }
    const isFirst = performance.now() - beganMs < atFirst.forMs;
    await pace.wait(isFirst ? atFirst.intervalMs : intervalMs, signal);
  }
}
