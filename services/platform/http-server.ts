import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Requests under way have so long to be answered. */
const drainWaitMs = 3_000;
const lookIntervalMs = 50;

/**
 * Takes no new connections, lets requests under way be answered, then closes
 * what is still open. Connections that are kept alive for a next request are
 * closed as soon as none is under way on them: by itself the server would wait
 * for their clients.
 */
export async function stopHttp(web: {
  readonly server: Server;
  close(): PromiseLike<unknown>;
}): Promise<void> {
  const closed = Promise.resolve(web.close()).then(() => true);
  const endMs = Date.now() + drainWaitMs;
  while (!(await Promise.race([closed, sleep(lookIntervalMs, false)]))) {
    if (Date.now() < endMs) web.server.closeIdleConnections();
    else web.server.closeAllConnections();
  }
}
