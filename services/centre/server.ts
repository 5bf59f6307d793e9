import { sendAlarms } from "#platform/alarm-sender.ts";
import { Alarms } from "#platform/alarms.ts";
import { createTokenVerifier, watchedVerifier } from "#platform/identity.ts";
import { tlsOf } from "#platform/config.ts";
import { openDatabase } from "#platform/database.ts";
import { Handlers, serveGrpc, stopGrpc } from "#platform/grpc-server.ts";
import { stopHttp } from "#platform/http-server.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { CentreService } from "#proto/qalqan/centre/v1/centre.ts";
import { firstEpoch, lanes, type Lane } from "#proto/names.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import { Centre } from "./centre.ts";
import { Changes } from "./changes.ts";
import { alarmProducerName, producerName, type CentreConfig } from "./config.ts";
import { forRegionSource } from "./consumers/for-region.ts";
import { CapitalHearing } from "./consumers/heartbeat.ts";
import { applyStream } from "./consumers/inbox.ts";
import { nationalSource } from "./consumers/national.ts";
import { readReceipts } from "./consumers/receipts.ts";
import { serveHttp } from "./http/server.ts";
import { LaneRoom } from "./lane-room.ts";
import { EnforcementLedger } from "./ledger.ts";
import { OutboxPump } from "./pump.ts";
import { Recovery } from "./recovery.ts";
import { RefusedAccess } from "./refused-access.ts";
import { centreMethods } from "./rpc/index.ts";
import { runSessions, type Session } from "./session.ts";
import { Standing } from "./standing.ts";
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

  const standing = new Standing(database);
  const changes = new Changes();
  const hearing = new CapitalHearing();
  const ledger = new EnforcementLedger(database, changes);
  const pumps: Readonly<Record<Lane, OutboxPump>> = {
    urgent: new OutboxPump(database, "urgent", ledger, log),
    events: new OutboxPump(database, "events", ledger, log),
  };
  const alarms = new Alarms(log);
  const room = new LaneRoom(database, alarms, config.OUTBOX_WAITING_BYTES_MAX);
  const centre = new Centre(config, database, standing, changes, room, hearing, (lane, rows) =>
    pumps[lane].committed(rows),
  );

  const recovery = new Recovery(database, config.QALQAN_REGION, standing, alarms, log);
  lifecycle.run("nats", async () => {
    const connection = await connectWhileRunning(config, log, signal);
    if (connection === undefined) return;
    lifecycle.use("nats", connection, (open) => open.close());
    const region = config.QALQAN_REGION;
    const changed = () => changes.notify();
    const decided = (sequence: number) => ledger.await({ stream: "NATIONAL", epoch: firstEpoch, sequence });
    const inSession = ({ epoch, producers }: Session, ends: AbortSignal): Promise<void>[] => [
      ...lanes.flatMap((lane) => [
        pumps[lane].run(producers[lane], epoch, ends),
        pumps[lane].nameTrouble(producers[lane], ends),
      ]),
      applyStream(connection, database, nationalSource(region, decided, changed), log, ends),
      applyStream(connection, database, forRegionSource(region, changed), log, ends),
      ledger.load().then(() => ledger.run(ends)),
      readReceipts(connection, region, epoch, ledger, ends),
      sendOwnAlarms(connection, alarms, { region, epoch }, ends),
      room.watch(connection, epoch, ends),
      centre.serveLanes({ connection, epoch }, ends),
    ];
    await Promise.all([
      runSessions(connection, recovery, inSession, log, signal),
      hearing.listen(connection, signal),
    ]);
  });

  const refusedAccess = new RefusedAccess();
  lifecycle.run("refused access", (ends) => refusedAccess.run(database, alarms, log, ends));
  const verifier = createTokenVerifier(config.IDENTITY_KEYS_FILE);
  const verify = watchedVerifier(verifier, config.QALQAN_REGION, (token) =>
    refusedAccess.note("centre", token),
  );
  const methods = centreMethods(centre, refusedAccess, new Handlers(verify, log, signal));
  const grpc = await serveGrpc(config.GRPC_LISTEN, tlsOf(config), [
    { definition: CentreService, implementation: methods },
  ]);
  lifecycle.use("grpc", grpc, stopGrpc);
  const http = await serveHttp(centre, verify, log);
  lifecycle.use("http", http, stopHttp);
}

/** A producer of its own: a database that is full does not keep its alarm from being heard. */
async function sendOwnAlarms(
  connection: NatsConnection,
  alarms: Alarms,
  { region, epoch }: { readonly region: string; readonly epoch: number },
  signal: AbortSignal,
): Promise<void> {
  const producer = await LaneProducer.open(connection, "events", epoch, alarmProducerName, signal);
  const append = (event: Omit<Event, "outbox">) => producer.append(event, signal);
  await sendAlarms(alarms, { region, source: producerName }, append, signal);
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
