import { tlsOf } from "#platform/config.ts";
import { untilAborted, type Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats } from "#platform/nats.ts";
import { serveProbes } from "#platform/probes.ts";
import type { ReloaderConfig } from "./config.ts";
import { Reloader } from "./reloader.ts";

/** Starts the reloader of one node of the hub. */
export async function startReloader(config: ReloaderConfig, log: Log, lifecycle: Lifecycle): Promise<void> {
  const reloader = new Reloader(config, log);
  const probes = await serveProbes(config.HTTP_LISTEN, () => reloader.readiness);
  lifecycle.use("probes", probes, (server) => server.close());
  lifecycle.run("files", (signal) => reloader.watch(signal));
  lifecycle.run("reloads", async (signal) => {
    const connecting = connectNats(config, tlsOf(config), "reloader", log);
    // Nobody stops the first attempt to connect: the process ends without waiting for it.
    const connection = await Promise.race([connecting, untilAborted(signal)]);
    if (connection === undefined) return;
    lifecycle.use("nats", connection, (open) => open.close());
    await reloader.run(connection, signal);
  });
}
