import type { NatsConnection } from "#platform/nats.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, lanes, regionStream, type Lane } from "#proto/names.ts";
import { until } from "#test/replication/servers.ts";

/** Bytes that a lane's stream takes. */
export type LaneLimits = Partial<Readonly<Record<Lane, number>>>;

/** As replication: makes the streams of a region. */
export async function createStreams(line: NatsConnection, limits: LaneLimits = {}): Promise<void> {
  const bytesMax = new Map(lanes.map((lane) => [regionStream.lane(lane, firstEpoch), limits[lane]]));
  await until(async () => {
    const manager = await line.jetstreamManager({ checkAPI: false });
    for (const stream of regionStreams(firstEpoch, firstEpoch)) {
      const most = bytesMax.get(stream.name);
      await ensureStream(manager, most === undefined ? stream : { ...stream, max_bytes: most });
    }
    return true;
  });
}
