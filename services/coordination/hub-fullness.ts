import type { Alarms } from "#platform/alarms.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { tellFullness } from "#platform/stream-alarms.ts";

/** How often it is looked how full the hub's streams are (ms). */
const lookEveryMs = 5_000;

/** Looks at every stream of the hub until the signal; all of them refuse at their limit. */
export async function watchHubFullness(
  connection: NatsConnection,
  alarms: Alarms,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  do {
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      for await (const { config, state } of manager.streams.list())
        if (config.max_bytes > 0) tellFullness(alarms, config.name, state.bytes / config.max_bytes);
    } catch (error) {
      log.info({ reason: String(error) }, "how full the hub's streams are cannot be seen now");
    }
  } while (await pause(lookEveryMs, signal));
}
