import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { retainedOf, trimStream, type Retention } from "#platform/trim.ts";
import { hubStream } from "#proto/names.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { trimForRegion, trimLane, trimNational } from "./domain/trim.ts";
import { capitalEpoch } from "./epochs.ts";
import { letGoOfOldEpochs } from "./old-epochs.ts";
import type { WrittenSnapshot } from "./snapshot-writer.ts";
import type { Database } from "./store/load.ts";
import { readLanes, trimMarks, trimNationalLog, trimRegionLog } from "./store/trim.ts";

/** What trimming goes by. */
export interface TrimmerParts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly state: CapitalState;
  /** The complete snapshots, the newest first. */
  readonly snapshots: () => readonly WrittenSnapshot[];
  /** Last message of a lane, or of NATIONAL, in the archive; undefined: there is no archive. */
  readonly archived: (hubStream: string) => number | undefined;
  readonly retention: Retention;
  readonly everyMs: number;
}

/**
 * Trims the hub's streams, and the logs in PostgreSQL with which the hub is
 * refilled, now and then until the signal. What fails is tried again the next
 * time.
 */
export async function trimNowAndThen(parts: TrimmerParts, signal: AbortSignal): Promise<void> {
  while (await pause(parts.everyMs, signal)) {
    try {
      await trimLanes(parts);
      await trimDown(parts, signal);
      // The last: where it fails, everything else was trimmed.
      await letGoOfOldEpochs(parts);
    } catch (error) {
      parts.log.warn({ reason: String(error) }, "the hub's streams could not be trimmed now");
    }
  }
}

async function trimLanes({ connection, database, archived, retention }: TrimmerParts): Promise<void> {
  for (const { region, lane, epoch, sequence } of await readLanes(database)) {
    const stream = hubStream.up(lane, region, epoch);
    const retained = await retainedOf(connection, stream, retention);
    if (retained === undefined) continue;
    await trimStream(connection, stream, trimLane(retained, sequence, archived(stream)));
    await trimMarks(database, { region, lane, epoch }, retained.first);
  }
}

async function trimDown(parts: TrimmerParts, signal: AbortSignal): Promise<void> {
  const { connection, database, state, retention } = parts;
  const snapshots = parts.snapshots();
  const before = snapshots[1];
  const national = hubStream.national(capitalEpoch);
  const retained = await retainedOf(connection, national, retention);
  if (retained !== undefined) {
    const sequences = snapshots.map(({ sequence }) => sequence);
    const upTo = trimNational(retained, sequences, parts.archived(national));
    await trimStream(connection, national, upTo);
    await trimNationalLog(database, capitalEpoch, upTo ?? retained.first - 1, signal);
  }
  if (before !== undefined)
    await trimStream(connection, hubStream.snapshot(capitalEpoch), before.firstMessage - 1);
  for (const { region, streams } of state.regions.values()) {
    const stream = hubStream.forRegion(region, capitalEpoch);
    const held = streams.find((report) => report.stream === "FOR" && report.epoch === capitalEpoch)?.last;
    const kept = await retainedOf(connection, stream, retention);
    if (kept === undefined) continue;
    const upTo = trimForRegion(kept, held);
    await trimStream(connection, stream, upTo);
    await trimRegionLog(database, region, capitalEpoch, upTo ?? kept.first - 1, signal);
  }
}
