import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { DayKeys } from "#domain/day-keys.ts";
import { tlsOf } from "#platform/config.ts";
import { Handlers, serveGrpc, stopGrpc } from "#platform/grpc-server.ts";
import { createTokenVerifier, watchedVerifier, type TokenVerifier } from "#platform/identity.ts";
import { pause, type Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { connectNats } from "#platform/nats.ts";
import { serveProbes } from "#platform/probes.ts";
import { ScreeningService } from "#proto/qalqan/screening/v1/screening.ts";
import { CallLog } from "./call-log.ts";
import * as limits from "./config.ts";
import { CapitalHeartbeat } from "./consumers/capital-heartbeat.ts";
import { NationalConsumer } from "./consumers/national.ts";
import { followEpochs } from "./consumers/region-epochs.ts";
import { CallCounters } from "./domain/call-counters.ts";
import { FirstPairs } from "./domain/first-pairs.ts";
import type { Replica } from "./domain/receipt.ts";
import { Enforcement } from "./enforcement.ts";
import { LaneWriter } from "./lane-writer.ts";
import { LoopWatch } from "./loop-watch.ts";
import { loadOverlay } from "./overlay-source.ts";
import { RefusedTokens } from "./refused-tokens.ts";
import { readRegions } from "./regions.ts";
import { Reporter } from "./reporter.ts";
import { getState } from "./rpc/get-state.ts";
import { screen } from "./rpc/screen.ts";
import { screenStream } from "./rpc/screen-stream.ts";
import { Screener } from "./screener.ts";
import { LateCallsFile } from "./store/late-calls-file.ts";
import { PairsFile } from "./store/pairs-file.ts";
import { SnapshotFile } from "./store/snapshot-file.ts";
import { SwitchesFile } from "./store/switches-file.ts";

/**
 * Starts one replica of the region's screening. It answers as soon as its own
 * snapshot is read, before anything else is there, and is ready when it has
 * reached the ends of its streams.
 */
export async function startScreening(
  config: limits.ScreeningConfig,
  log: Log,
  lifecycle: Lifecycle,
): Promise<void> {
  const region = config.QALQAN_REGION;
  const bootId = randomBytes(4).toString("hex");
  const replica: Replica = { region, replica: config.REPLICA, bootId, release: config.QALQAN_RELEASE };
  const enforcement: Enforcement = new Enforcement(region, log, (isBulk) => reporter.wantReceipt(isBulk));
  const counters = new CallCounters(region, `${config.REPLICA}:${bootId}`, {
    callsPerFlushMax: limits.answeredPerFlushMax,
    minutesPerFlushMax: limits.minutesPerFlushMax,
    callsWaitingMax: limits.answeredWaitingMax,
    countsPerMinuteMax: limits.countsPerMinuteMax,
  });
  const pairs = new FirstPairs(limits.pairsPerDayMax);
  const pairsFile = new PairsFile(config.STATE_DIRECTORY, pairs, log);
  await pairsFile.restore(Date.now());
  const lateCalls = new LateCallsFile(config.STATE_DIRECTORY, log);
  await lateCalls.report();
  const reporter = new Reporter(enforcement, counters, pairsFile, replica, log);
  const callLog = new CallLog(config.REPLICA, log);
  const loop = lifecycle.use("loop watch", new LoopWatch(), (watch) => watch.close());
  const screener = new Screener({
    ...{ replica, enforcement, counters, pairs, callLog, reporter, loop, log },
    dayKeys: new DayKeys(config.REGION_KEY_FILE),
    appealLines: config.APPEAL_LINES,
    regions: readRegions(config.REGIONS_FILE),
  });
  const heartbeat = new CapitalHeartbeat();
  let nationalStopped = (): string => "";
  const probes = await serveProbes(config.HTTP_LISTEN, () => ({
    ready: enforcement.ready,
    why: enforcement.ready
      ? nationalStopped() || enforcement.diverged || enforcement.standsAlone
      : `waiting for ${enforcement.waitsFor}`,
  }));
  lifecycle.use("probes", probes, (server) => server.close());
  const snapshots = new SnapshotFile(config.STATE_DIRECTORY, enforcement, log);
  const snapshot = await snapshots.read(region);
  const switches = new SwitchesFile(config.STATE_DIRECTORY, region, enforcement, log);
  const kept = await switches.read();
  if (snapshot !== undefined) enforcement.restore(snapshot);
  if (snapshot !== undefined && kept !== undefined) enforcement.restoreSwitches(kept);
  if (snapshot !== undefined)
    setTimeout(() => enforcement.standAlone(ageOf(snapshot)), limits.streamsWaitMs).unref();

  const refused = new RefusedTokens();
  const verifier = createTokenVerifier(config.IDENTITY_KEYS_FILE);
  const watched = watchedVerifier(verifier, region, (token) => refused.note(token));
  // Switches ask by their certificate, without a token: none is refused then.
  const verify: TokenVerifier = (authorization) =>
    (authorization === undefined ? verifier : watched)(authorization);
  lifecycle.run("refused tokens", (signal) => refused.run(config.CENTRE_URL, tlsOf(config), log, signal));
  const handlers = new Handlers(verify, log, lifecycle.signal);
  const implementation = {
    screen: handlers.unary("Screen", screen(screener, region)),
    screenStream: screenStream(screener, lifecycle.signal),
    getState: handlers.unary("GetState", getState(replica, enforcement, heartbeat, screener)),
  };
  const grpc = await serveGrpc(config.GRPC_LISTEN, tlsOf(config), [
    { definition: ScreeningService, implementation },
  ]);
  // While the region's NATS is not there yet nothing else is: questions on their way are answered all the same.
  lifecycle.use("questions", grpc, stopGrpc);
  // Closed after everything was written, or named as lost: then nothing is late.
  lifecycle.use("late calls file", lateCalls, (file) => file.write({ calls: 0, counted: 0 }));
  lifecycle.run("late calls", async (signal) => {
    while (await pause(limits.lateLookMs, signal)) {
      await lateCalls.write({ calls: callLog.late(), counted: reporter.late() });
    }
  });
  const connection = await connectNats(config, tlsOf(config), `${config.REPLICA}.${region}`, log);
  lifecycle.use("nats", connection, (open) => open.close());
  heartbeat.listen(connection, (epoch, sequence) => enforcement.capitalIsAt(epoch, sequence));
  setTimeout(() => enforcement.capitalIsSilent(), limits.capitalWordWaitMs).unref();

  const loadWhole = async (epoch: number, signal: AbortSignal) => {
    const whole = await loadOverlay(region, config.CENTRE_URL, tlsOf(config), epoch, log, signal);
    enforcement.replaceOverlay(whole.overlay, epoch, whole.lastOfLanes);
  };
  const national = new NationalConsumer(connection, enforcement, log);
  nationalStopped = () => national.stopped;
  lifecycle.run("national", (signal) => national.run(signal));
  const writer = new LaneWriter(connection, "events", config.REPLICA);
  const turnTo = (epoch: number) => writer.turnTo(epoch);
  lifecycle.run("lanes", (signal) => followEpochs(connection, enforcement, turnTo, loadWhole, log, signal));

  // Its own signal: what was answered is still written while the service stops.
  const giveUp = new AbortController();
  lifecycle.run("reports", () => reporter.run(writer, giveUp.signal));
  lifecycle.run("calls", () => callLog.run(connection, giveUp.signal));
  lifecycle.run("snapshot", (signal) => keepSnapshots(snapshots, enforcement, log, signal));
  lifecycle.run("forget", async (signal) => {
    do {
      const forgetting = enforcement.forgettingOld(Date.now());
      while (forgetting.next().done !== true) await turn();
    } while (await pause(limits.forgetEveryMs, signal));
  });
  lifecycle.run("switches", async (signal) => {
    while (!signal.aborted) {
      await enforcement.switched.wait(limits.snapshotEveryMs, signal);
      if (enforcement.isWhole) await switches.write(enforcement.switches);
    }
  });
  lifecycle.use("answers", grpc, async (server) => {
    await stopGrpc(server);
    callLog.close();
    reporter.close();
    setTimeout(
      () => giveUp.abort(new Error("stopped before everything was written")),
      limits.closeWaitMs,
    ).unref();
    await writeAtLast(snapshots, enforcement);
  });
}

/** A snapshot now and then, if it would say more than the last; a whole table is not written for each receipt. */
async function keepSnapshots(
  snapshots: SnapshotFile,
  enforcement: Enforcement,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let written = { changes: -1, eventsSequence: 0 };
  let tookMs = 0;
  const dueInMs = () => Math.max(limits.snapshotEveryMs, tookMs / limits.snapshotShareMax);
  while (await pause(Math.min(dueInMs(), limits.snapshotEveryMsMax), signal)) {
    const { changes, overlay, ready } = enforcement;
    const { eventsSequence } = overlay;
    const isBehind = eventsSequence - written.eventsSequence >= limits.snapshotBehindMax;
    // A table that is not there yet would look like an empty one at the next start.
    if (!ready || (changes === written.changes && !isBehind)) continue;
    const beganMs = performance.now();
    try {
      await snapshots.write(enforcement);
      written = { changes, eventsSequence };
    } catch (error) {
      // Calls are answered all the same, and the file of before is still there.
      log.error({ event: "snapshot-not-written", err: error }, "the snapshot could not be written");
    }
    tookMs = performance.now() - beganMs;
  }
}

/** The consumers end at the same time: the last of them may still change something once or twice. */
async function writeAtLast(snapshots: SnapshotFile, enforcement: Enforcement): Promise<void> {
  if (!enforcement.ready) return;
  const attemptsMax = 5;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (await snapshots.write(enforcement)) return;
  }
}

/** In what a replica is less than it should be that has read its own file alone. */
function ageOf({ writtenAtMs }: { readonly writtenAtMs: number }): string {
  const ageSeconds = Math.max(0, Math.round((Date.now() - writtenAtMs) / 1_000));
  return `the region's streams do not answer: what is enforced was written down ${ageSeconds} s ago`;
}
