import type { z } from "zod";
import { SealingKey } from "#domain/seal.ts";
import { tlsOf } from "#platform/config.ts";
import { pause, type Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { serveProbes } from "#platform/probes.ts";
import { LaneProducer } from "#platform/producer.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, lanes } from "#proto/names.ts";
import { awayPollMs, type replicationEnvironment } from "./config.ts";
import { DownCopy, downStreams } from "./consumers/down.ts";
import { SnapshotCopy } from "./consumers/snapshot.ts";
import { copyUp } from "./consumers/up.ts";
import type { Ends } from "./ends.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { LaneStates } from "./lane-states.ts";
import { OwnEvents } from "./own-events.ts";
import { LaneSealer } from "./sealer.ts";
import { trimNowAndThen } from "./trimmer.ts";

/** Starts the region's line to the capital: both lanes up, NATIONAL and FOR down, the region's heartbeat. */
export async function startReplication(
  config: z.output<typeof replicationEnvironment>,
  log: Log,
  lifecycle: Lifecycle,
): Promise<void> {
  const region = config.QALQAN_REGION;
  const epoch = firstEpoch;
  const states = new LaneStates(log);
  let ready = false;
  // Ready does not depend on the capital: a region that is cut off is whole.
  const probes = await serveProbes(config.HTTP_LISTEN, () => ({
    ready,
    why: ready ? states.describe() : "the region's streams are not there yet",
  }));
  lifecycle.use("probes", probes, (server) => server.close());
  const ends = await connectEnds(config, log, lifecycle);
  await ensureStreams(ends.region, epoch, log, lifecycle.signal);
  ready = true;

  for (const lane of lanes) {
    lifecycle.run(`up ${lane}`, (signal) => copyUp({ ends, lane, region, epoch, states }, signal));
  }
  const snapshots = new SnapshotCopy(ends, epoch, states);
  lifecycle.run("down snapshot", (signal) => snapshots.run(signal));
  for (const down of downStreams(region, epoch)) {
    const from = down.name === "down national" ? snapshots : undefined;
    lifecycle.run(down.name, (signal) => new DownCopy(ends, down, states, from).run(signal));
  }
  const retention = { keptMessages: config.KEPT_MESSAGES, keptMs: config.KEPT_HOURS * 3_600_000 };
  const trimming = { ends, regionEpoch: () => epoch, capitalEpoch: epoch, snapshots, retention, log };
  lifecycle.run("trim", (signal) => trimNowAndThen({ ...trimming, everyMs: config.TRIM_EVERY_MS }, signal));
  const key = new SealingKey(config.SIGNING_KEY_FILE);
  for (const lane of lanes) {
    const producer = await LaneProducer.open(ends.region, lane, epoch, "replication", lifecycle.signal);
    const own = new OwnEvents(producer);
    const sealer = new LaneSealer(ends.region, own, key, { region, lane, epoch });
    lifecycle.run(`seal ${lane}`, (signal) => sealer.run(states, signal));
    if (lane !== "events") continue;
    const of = { region, regionEpoch: epoch, release: config.QALQAN_RELEASE };
    lifecycle.run("heartbeat", (signal) => sendHeartbeats(own, of, signal));
  }
}

async function connectEnds(
  config: z.output<typeof replicationEnvironment>,
  log: Log,
  lifecycle: Lifecycle,
): Promise<Ends> {
  const { NATS_URL, NATS_SEED_FILE, NATS_LINE_SEED_FILE, QALQAN_REGION: region } = config;
  const connect = async (seed: string, name: string) =>
    lifecycle.use(
      name,
      await connectNats({ NATS_URL, NATS_SEED_FILE: seed }, tlsOf(config), `${name}.${region}`, log),
      (connection) => connection.close(),
    );
  return {
    region: await connect(NATS_SEED_FILE, "replication"),
    line: await connect(NATS_LINE_SEED_FILE, "line"),
  };
}

/** Creates what is missing, waiting until the region's JetStream answers. */
async function ensureStreams(
  connection: NatsConnection,
  epoch: number,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      for (const stream of regionStreams(epoch, epoch)) await ensureStream(manager, stream);
      return;
    } catch (error) {
      log.info({ reason: String(error) }, "waiting for the region's streams");
      if (!(await pause(awayPollMs, signal))) throw error;
    }
  }
}
