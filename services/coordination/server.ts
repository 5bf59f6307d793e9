import { SealingKey } from "#domain/seal.ts";
import { Alarms } from "#platform/alarms.ts";
import { openStore, type ObjectStore } from "#platform/archive/object-store.ts";
import { lead, openDatabase } from "#platform/database.ts";
import { tlsOf } from "#platform/config.ts";
import { Handlers, serveGrpc, stopGrpc } from "#platform/grpc-server.ts";
import { createTokenVerifier } from "#platform/identity.ts";
import { stopHttp } from "#platform/http-server.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats } from "#platform/nats.ts";
import { waitsForPerson, type Readiness } from "#platform/probes.ts";
import { CoordinationService } from "#proto/qalqan/coordination/v1/coordination.ts";
import { Archiver } from "./archive/archiver.ts";
import { Capital } from "./capital.ts";
import { leaderLockKey, type CoordinationConfig } from "./config.ts";
import { serveHttp } from "./http/server.ts";
import { hearHub } from "./consumers/hub-events.ts";
import { watchHubFullness } from "./hub-fullness.ts";
import { ensureHubStreams } from "./hub-streams.ts";
import { auditKeys, knowKeys } from "./key-watch.ts";
import { Leader } from "./leader.ts";
import { LeaderLink } from "./leader-link.ts";
import { readNation, watchNation } from "./nation-file.ts";
import { epochsOf } from "./region-epochs.ts";
import { showRefusals } from "./refusal-alarms.ts";
import { SealVerifier } from "./seal-verifier.ts";
import { readSigningKeys } from "./signing-keys.ts";
import { coordinationMethods } from "./rpc/index.ts";
import { migrations } from "./store/migrations.ts";

/** Undefined: sealed segments are archived nowhere. */
function archiveOf(config: CoordinationConfig): ObjectStore | undefined {
  return config.ARCHIVE_URL === ""
    ? undefined
    : openStore(config.ARCHIVE_URL, config.ARCHIVE_CREDENTIALS_FILE);
}

/** Starts the capital's service: every replica answers, one leads and writes. */
export async function startCoordination(
  config: CoordinationConfig,
  log: Log,
  lifecycle: Lifecycle,
): Promise<void> {
  // A file that cannot be used stops the start, before anything waits.
  const nation = await readNation(config.REGIONS_FILE);
  await readSigningKeys(config.SIGNING_KEYS_FILE);
  const sealingKey = new SealingKey(config.SIGNING_KEY_FILE);
  let readiness: Readiness = { ready: false, why: "waiting for PostgreSQL and the hub" };
  const opened = await Promise.all([
    openDatabase<unknown>(config, migrations, log, lifecycle.signal),
    connectNats(config, tlsOf(config), "coordination", log),
  ]);
  const database = lifecycle.use("database", opened[0], (each) => each.destroy());
  const connection = lifecycle.use("nats", opened[1], (each) => each.drain());
  const capital = new Capital(database, new Alarms(log));
  capital.regions = nation;
  const store = archiveOf(config);
  const everyMs = config.ARCHIVE_EVERY_SECONDS * 1_000;
  const archive =
    store === undefined ? undefined : new Archiver(store, connection, log, capital.alarms, everyMs);

  const verify = capital.watched(createTokenVerifier(config.IDENTITY_KEYS_FILE));
  const settings = {
    listen: config.HTTP_LISTEN,
    consoleDirectory: config.CONSOLE_DIRECTORY,
    openOnLoopback: config.CONSOLE_OPEN_ON_LOOPBACK,
  };
  const stands = (): Readiness => {
    const asked = capital.alarms.list().find(({ code }) => code === "waits-for-person");
    if (readiness.ready || asked === undefined) return readiness;
    return { ready: false, why: `${waitsForPerson}${asked.detail}` };
  };
  const http = await serveHttp(settings, capital, verify, stands, log, lifecycle.signal);
  lifecycle.use("http", http, stopHttp);
  const replicas = `coordination.${config.QALQAN_REGION}`;
  const link = lifecycle.use("leader link", new LeaderLink(capital, tlsOf(config), replicas), (each) =>
    each.close(),
  );
  const evidence = { connection, archive: store, key: sealingKey, release: config.QALQAN_RELEASE };
  const handlers = new Handlers(verify, log, lifecycle.signal);
  const implementation = coordinationMethods(capital, link, handlers, evidence);
  const grpc = await serveGrpc(config.GRPC_LISTEN, tlsOf(config), [
    { definition: CoordinationService, implementation },
  ]);
  lifecycle.use("grpc", grpc, stopGrpc);

  let unlock = async (): Promise<void> => undefined;
  // Closed after leadership: whoever leads next finds the last step committed.
  lifecycle.use("leader lock", undefined, () => unlock());
  lifecycle.run("leadership", async (signal) => {
    const waits = setTimeout(() => (readiness = { ready: true, why: "another replica leads" }), 1_000);
    const { lost, release } = await lead(
      config,
      leaderLockKey,
      config.ADVERTISED_ADDRESS ?? config.GRPC_LISTEN,
      signal,
    );
    clearTimeout(waits);
    unlock = release;
    lifecycle.run("leader lock", async (each) => {
      const aborted = new Promise<void>((resolve) =>
        each.addEventListener("abort", () => resolve(), { once: true }),
      );
      await Promise.race([lost, aborted]);
      if (!each.aborted)
        throw new Error("the leader lock is lost with its connection: another replica may lead");
    });
    readiness = { ready: false, why: "begins to lead" };
    // Those of the regions too: where the hub has lost its store, they can say nowhere else that they have more than we.
    const slugs = nation.map(({ slug }) => slug);
    const epochs = await epochsOf(database, slugs);
    await ensureHubStreams(connection, epochs, config.HUB_REPLICAS, log, signal);
    const { alarms } = capital;
    const verifier = await SealVerifier.open({
      ...{ database, connection, log, alarms, keysFile: config.SIGNING_KEYS_FILE },
      sealMissingMs: config.SEAL_MISSING_SECONDS * 1_000,
    });
    const leader = await Leader.open({
      ...{ database, connection, log, lifecycle, alarms, sealingKey, verifier },
      regionsFile: config.REGIONS_FILE,
      replicas: config.HUB_REPLICAS,
      snapshots: { rowsMin: config.SNAPSHOT_ROWS_MIN, messagesMin: config.SNAPSHOT_MESSAGES_MIN },
      trim: {
        retention: { keptMessages: config.KEPT_MESSAGES, keptMs: config.KEPT_HOURS * 3_600_000 },
        everyMs: config.TRIM_EVERY_MS,
        archived: (stream) => archive?.upTo(stream),
      },
    });
    // Before it reads anything: what a revoked key has sent is refused from the first message on.
    knowKeys(leader.state, nation, capital.alarms);
    await leader.enrol(slugs);
    capital.leader = leader;
    capital.archive = archive;
    if (archive !== undefined) lifecycle.run("archive", (each) => archive.run(each));
    readiness = { ready: true, why: "leads" };
    log.info({ sequence: leader.state.sequence, regions: nation.length }, "leads");
    const { refusals } = leader.state;
    lifecycle.run("refusals at the hub", (each) => hearHub(connection, refusals, each));
    lifecycle.run("alarms of refusals", (each) => showRefusals(refusals, capital.alarms, each));
    lifecycle.run("fullness of the hub", (each) => watchHubFullness(connection, capital.alarms, log, each));
    lifecycle.run("list of regions", (each) =>
      watchNation(config.REGIONS_FILE, log, each, async (regions) => {
        knowKeys(leader.state, regions, capital.alarms);
        await leader.enrol(regions.map(({ slug }) => slug));
        capital.regions = regions;
        await auditKeys(database, leader, regions);
      }),
    );
    await leader.run(signal);
    // From here on writes go to whoever leads next.
    capital.leader = undefined;
  });
}
