import { connect, ErrorCode, type NatsConnection, NatsError, nkeyAuthenticator } from "nats";
import type { TlsIdentity } from "./config.ts";
import type { Log } from "./log.ts";

const reconnectWaitMs = 200;
const reconnectJitterMs = 100;
/** A server that accepts and says nothing (paused, or just going) is left after this; the library would wait 20 s. */
const connectWaitMs = 3_000;
const pingIntervalMs = 2_000;

/**
 * Connects to a NATS server by mutual TLS and nkey, waits for the first
 * connection, and reconnects for ever.
 */
export async function connectNats(
  config: { readonly NATS_URL: string; readonly NATS_SEED_FILE: string },
  tls: TlsIdentity,
  name: string,
  log: Log,
): Promise<NatsConnection> {
  const servers = config.NATS_URL.replace(/^(tls|nats):\/\//, "").split(",");
  const connection = await connect({
    servers,
    name,
    timeout: connectWaitMs,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(config.NATS_SEED_FILE)),
    tls: { ca: tls.ca, cert: tls.cert, key: tls.key },
    maxReconnectAttempts: -1,
    reconnectDelayHandler: reconnectDelays(servers.length),
    waitOnFirstConnect: true,
    // It uses the addresses that it was given: other nodes of a cluster are behind them, or none of its business.
    ignoreClusterUpdates: true,
    // A server that went away without closing is noticed after two pings.
    pingInterval: pingIntervalMs,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
  });
  const listeners = new Set<() => void>();
  disconnectListeners.set(connection, listeners);
  void (async () => {
    for await (const event of connection.status()) {
      if (event.type === "disconnect") for (const listener of listeners) listener();
      if (event.type === "disconnect" || event.type === "reconnect" || event.type === "error") {
        log.info({ event: event.type, data: event.data }, "nats connection");
      }
    }
  })();
  return connection;
}

/** A clock that was set back by less costs no more than that. */
const setBackMsMin = 100;

/**
 * How long the library waits before it dials an address again (ms). It measures
 * that by the clock on the wall: after one was set back by an hour, it would not
 * dial for an hour. So every address is then dialled once without a wait. Few
 * clients a server, hence little jitter.
 */
function reconnectDelays(addresses: number): () => number {
  let wallMs = Date.now() - performance.now();
  let atOnce = 0;
  return () => {
    const before = wallMs;
    wallMs = Date.now() - performance.now();
    if (wallMs < before - setBackMsMin) atOnce = addresses;
    if (atOnce === 0) return reconnectWaitMs + Math.random() * reconnectJitterMs;
    atOnce -= 1;
    return Number.NEGATIVE_INFINITY;
  };
}

/** Who is to hear that a connection was lost; one listener of the library serves them all. */
const disconnectListeners = new WeakMap<NatsConnection, Set<() => void>>();

/**
 * Calls `listener` whenever the connection (of connectNats) is lost.
 *
 * @returns ends that
 */
export function onDisconnect(connection: NatsConnection, listener: () => void): () => void {
  const listeners = disconnectListeners.get(connection);
  listeners?.add(listener);
  return () => listeners?.delete(listener);
}

/** Whether the connection, or the server behind it, failed: it may be asked again. */
export function isServerError(error: unknown): boolean {
  return error instanceof NatsError;
}

/** Nobody listens where something was asked: the line is cut, the server that would answer is down, or it is not allowed. */
export function isNobodyThere(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.NoResponders;
}

/** Whoever was asked did not answer in the time that was given. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.Timeout;
}

export type { NatsConnection };
