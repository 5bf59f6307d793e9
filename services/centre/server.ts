import { createTokenVerifier } from "#platform/identity.ts";
import { tlsOf } from "#platform/config.ts";
import { openDatabase } from "#platform/database.ts";
import { Handlers, serveGrpc, stopGrpc } from "#platform/grpc-server.ts";
import { stopHttp } from "#platform/http-server.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { CentreService } from "#proto/qalqan/centre/v1/centre.ts";
import { lanes, type Lane } from "#proto/names.ts";
import { Centre } from "./centre.ts";
import { Changes } from "./changes.ts";
import type { CentreConfig } from "./config.ts";
import { forRegionSource } from "./consumers/for-region.ts";
import { CapitalHearing } from "./consumers/heartbeat.ts";
import { applyStream } from "./consumers/inbox.ts";
import { nationalSource } from "./consumers/national.ts";
import { readReceipts } from "./consumers/receipts.ts";
import { serveHttp } from "./http/server.ts";
import { EnforcementLedger } from "./ledger.ts";
import { OutboxPump } from "./pump.ts";
import { centreMethods } from "./rpc/index.ts";
import { migrations } from "./store/migrations.ts";
import type { Schema } from "./store/schema.ts";

/**
 * Starts the centre of a region. It answers as soon as its database does;
 * what goes through NATS follows when that is there.
 */
export async function startCentre(config: CentreConfig, log: Log, lifecycle: Lifecycle): Promise<void> {
  const { signal } = lifecycle;
  const database = await openDatabase<Schema>(config, migrations, log, signal);
  lifecycle.use("database", database, (open) => open.destroy());

  const changes = new Changes();
  const hearing = new CapitalHearing();
  const ledger = new EnforcementLedger(database, changes, log);
  const pumps: Readonly<Record<Lane, OutboxPump>> = {
    urgent: new OutboxPump(database, "urgent", ledger, log),
    events: new OutboxPump(database, "events", ledger, log),
  };
  const centre = new Centre(config, database, changes, hearing, (lane) => pumps[lane].wake());

  lifecycle.run("nats", async () => {
    const connection = await connectWhileRunning(config, log, signal);
    if (connection === undefined) return;
    lifecycle.use("nats", connection, (open) => open.close());
    centre.nats = connection;
    const region = config.QALQAN_REGION;
    const changed = () => changes.notify();
    const national = nationalSource(
      region,
      (sequence) => ledger.await({ stream: "NATIONAL", sequence }),
      changed,
    );
    await Promise.all([
      ...lanes.map((lane) => pumps[lane].run(connection, signal)),
      applyStream(connection, database, national, log, signal),
      applyStream(connection, database, forRegionSource(region, changed), log, signal),
      readReceipts(connection, region, ledger, signal),
      ledger.run(signal),
      hearing.listen(connection, signal),
    ]);
  });

  const verify = createTokenVerifier(config.IDENTITY_KEYS_FILE);
  const methods = centreMethods(centre, new Handlers(verify, log, signal));
  const grpc = await serveGrpc(config.GRPC_LISTEN, tlsOf(config), [
    { definition: CentreService, implementation: methods },
  ]);
  lifecycle.use("grpc", grpc, stopGrpc);
  const http = await serveHttp(centre, verify, log);
  lifecycle.use("http", http, stopHttp);
}

/** The connection, once the server answers; undefined when the service stops before that. */
async function connectWhileRunning(
  config: CentreConfig,
  log: Log,
  signal: AbortSignal,
): Promise<NatsConnection | undefined> {
  const connecting = connectNats(config, tlsOf(config), `centre.${config.QALQAN_REGION}`, log);
  const stopped = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  return Promise.race([connecting, stopped]);
}
