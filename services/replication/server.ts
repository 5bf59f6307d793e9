import type { z } from "zod";
import { SealingKey } from "#domain/seal.ts";
import { Alarms } from "#platform/alarms.ts";
import { tlsOf } from "#platform/config.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats } from "#platform/nats.ts";
import { serveProbes } from "#platform/probes.ts";
import { firstEpoch } from "#proto/names.ts";
import type { replicationEnvironment } from "./config.ts";
import { DownCopy, downStreams } from "./consumers/down.ts";
import { SnapshotCopy } from "./consumers/snapshot.ts";
import type { Ends } from "./ends.ts";
import { LaneStates } from "./lane-states.ts";
import { RegionLanes } from "./region-lanes.ts";
import { trimNowAndThen } from "./trimmer.ts";

/** Starts the region's line to the capital: both lanes up, NATIONAL and FOR down, the region's heartbeat. */
export async function startReplication(
  config: z.output<typeof replicationEnvironment>,
  log: Log,
  lifecycle: Lifecycle,
): Promise<void> {
  const region = config.QALQAN_REGION;
  // The capital's epoch: its streams carry it as a region's lanes do theirs.
  const capitalEpoch = firstEpoch;
  const states = new LaneStates(log);
  const alarms = new Alarms(log);
  const kept: { lanes?: RegionLanes } = {};
  // Ready does not depend on the capital: a region that is cut off is whole.
  const probes = await serveProbes(config.HTTP_LISTEN, () => {
    const ready = kept.lanes?.isReady ?? false;
    return { ready, why: ready ? states.describe() : "the region's streams are not there yet" };
  });
  lifecycle.use("probes", probes, (server) => server.close());
  const ends = await connectEnds(config, log, lifecycle);
  const key = new SealingKey(config.SIGNING_KEY_FILE);
  const context = { ends, region, release: config.QALQAN_RELEASE, states, alarms, key, log };
  const regionLanes = new RegionLanes(context, capitalEpoch);
  kept.lanes = regionLanes;
  lifecycle.run("lanes", (signal) => regionLanes.run(signal));
  const snapshots = new SnapshotCopy(ends, capitalEpoch, states);
  lifecycle.run("down snapshot", (signal) => snapshots.run(signal));
  for (const down of downStreams(region, capitalEpoch)) {
    const from = down.name === "down national" ? snapshots : undefined;
    lifecycle.run(down.name, (signal) => new DownCopy(ends, down, states, alarms, from).run(signal));
  }
  const retention = { keptMessages: config.KEPT_MESSAGES, keptMs: config.KEPT_HOURS * 3_600_000 };
  const trimming = { ends, regionLanes, capitalEpoch, snapshots, retention, log };
  lifecycle.run("trim", (signal) => trimNowAndThen({ ...trimming, everyMs: config.TRIM_EVERY_MS }, signal));
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
