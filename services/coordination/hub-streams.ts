import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { ensureStream, hubStreamsOf, nationalStreams } from "#platform/streams.ts";
import { capitalEpoch, capitalEpochs } from "./epochs.ts";

const retryWaitMs = 200;
/** Streams asked for at once. */
const parallelMax = 8;

/**
 * Creates the hub's streams that are missing: NATIONAL and FOR of each region
 * in the capital's epoch and the next, and the regions' lanes in their epochs.
 * Tries until the hub answers.
 */
export async function ensureHubStreams(
  connection: NatsConnection,
  regions: readonly { readonly region: string; readonly epochs: readonly number[] }[],
  replicas: number,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const wanted = [
    ...capitalEpochs.flatMap((epoch) => nationalStreams(epoch, replicas)),
    ...regions.flatMap(({ region, epochs }) => [
      ...hubStreamsOf(region, epochs, capitalEpoch, replicas),
      ...capitalEpochs.slice(1).flatMap((epoch) => hubStreamsOf(region, [], epoch, replicas)),
    ]),
  ];
  for (;;) {
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      const present = new Set<string>();
      for await (const name of manager.streams.names()) present.add(name);
      const missing = wanted.filter(({ name }) => !present.has(name));
      for (let index = 0; index < missing.length; index += parallelMax) {
        await Promise.all(
          missing.slice(index, index + parallelMax).map((stream) => ensureStream(manager, stream)),
        );
      }
      if (missing.length > 0) log.info({ streams: missing.length }, "streams were created at the hub");
      return;
    } catch (error) {
      log.info({ reason: String(error) }, "waiting for the hub");
      if (!(await pause(retryWaitMs, signal))) throw signal.reason;
    }
  }
}
