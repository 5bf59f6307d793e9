import { StreamUnavailable } from "#platform/batch-get.ts";
import { watchOpenedEpoch } from "#platform/epochs.ts";
import { translateError } from "#platform/errors.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { isServerError, onDisconnect, type NatsConnection } from "#platform/nats.ts";
import { LaneProducer, ProducerReplaced } from "#platform/producer.ts";
import { lanes, type Lane } from "#proto/names.ts";
import { agreementEveryMs, databaseLookMs, producerName, recoverWaitMs } from "./config.ts";
import { RestartedMeanwhile, type Recovery } from "./recovery.ts";

/** One stretch of time in which the epoch of the lanes, the server's connection and the database stay the same. */
export interface Session {
  readonly connection: NatsConnection;
  readonly epoch: number;
  /** This centre in its lanes; its outbox agrees with them. */
  readonly producers: Readonly<Record<Lane, LaneProducer>>;
}

/** Outbox and lane differ although nothing was seen to be restored: a session begins anew. */
export class LaneDiffers extends Error {
  override readonly name = "LaneDiffers";
}

/**
 * Runs what a centre does with its region's streams, one session after the
 * other: after every loss of the server or of the database, and in every new
 * epoch, outbox and lanes are brought together before anything else happens.
 *
 * @param work everything that runs in a session, each until the signal
 */
export async function runSessions(
  connection: NatsConnection,
  recovery: Recovery,
  work: (session: Session, signal: AbortSignal) => readonly Promise<void>[],
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let epoch = 0;
  let attempt = new AbortController();
  const watching = (async () => {
    for await (const opened of watchOpenedEpoch(connection, signal)) {
      if (epoch > 0)
        log.warn({ event: "epoch", from: epoch, to: opened }, "the lanes go on in another epoch");
      epoch = opened;
      attempt.abort();
    }
  })();
  while (!signal.aborted) {
    attempt = new AbortController();
    const ends = AbortSignal.any([signal, attempt.signal]);
    if (epoch === 0) {
      await untilAborted(ends);
      continue;
    }
    const forget = onDisconnect(connection, () => attempt.abort());
    try {
      await runSession(connection, epoch, recovery, work, attempt, ends);
    } catch (error) {
      if (!signal.aborted && !attempt.signal.aborted && !isOutage(error)) throw error;
      log.warn({ event: "session-over", err: error }, "what goes through the lanes begins anew");
    } finally {
      forget();
      attempt.abort();
    }
    await pause(recoverWaitMs, signal);
  }
  await watching;
}

async function runSession(
  connection: NatsConnection,
  epoch: number,
  recovery: Recovery,
  work: (session: Session, signal: AbortSignal) => readonly Promise<void>[],
  attempt: AbortController,
  signal: AbortSignal,
): Promise<void> {
  const open = (lane: Lane) => LaneProducer.open(connection, lane, epoch, producerName, signal);
  const producers = { urgent: await open("urgent"), events: await open("events") };
  const numbers = { urgent: producers.urgent.lastOutbox, events: producers.events.lastOutbox };
  const run = await recovery.reconcile(connection, epoch, numbers, signal);
  const session: Session = { connection, epoch, producers };
  const parts = [
    ...work(session, signal),
    watchAgreement(session, recovery, signal),
    watchDatabase(run, recovery, signal),
  ];
  try {
    await Promise.all(parts);
  } finally {
    attempt.abort();
    await Promise.allSettled(parts);
  }
}

/** @throws LaneDiffers */
async function watchAgreement(session: Session, recovery: Recovery, signal: AbortSignal): Promise<void> {
  const { connection, epoch, producers } = session;
  while (await pause(agreementEveryMs, signal)) {
    for (const lane of lanes) {
      const agrees = await recovery.stillAgrees(connection, lane, epoch, producers[lane].lastOutbox, signal);
      if (!agrees) throw new LaneDiffers(`the outbox and ${lane} differ`);
    }
  }
}

/** A restart may pass between two statements of all parts, and no part would notice. @throws RestartedMeanwhile */
async function watchDatabase(run: string, recovery: Recovery, signal: AbortSignal): Promise<void> {
  while (await pause(databaseLookMs, signal)) await recovery.requireRun(run);
}

/** What a server, a line or a database does while it restarts; a programming error is not. */
function isOutage(error: unknown): boolean {
  if (translateError(error).detail.code === "unavailable") return true;
  return (
    error instanceof ProducerReplaced ||
    error instanceof LaneDiffers ||
    error instanceof RestartedMeanwhile ||
    error instanceof StreamUnavailable ||
    isServerError(error)
  );
}
