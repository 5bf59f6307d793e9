import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { retainedOf, type Retention } from "#platform/trim.ts";
import { hubStream } from "#proto/names.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { trimForRegion, trimLane, trimNational } from "./domain/trim.ts";
import { capitalEpoch } from "./epochs.ts";
import { letGoOfOldEpochs } from "./old-epochs.ts";
import type { WrittenSnapshot } from "./snapshot-writer.ts";
import { LeaderReplaced, type Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { readLanes, trimMarks, trimNationalLog, trimRegionLog } from "./store/trim.ts";
import { trimHub } from "./trim-hub.ts";

/** What trimming goes by. */
export interface TrimmerParts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly lead: Lead;
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
 *
 * @throws LeaderReplaced
 */
export async function trimNowAndThen(parts: TrimmerParts, signal: AbortSignal): Promise<void> {
  while (await pause(parts.everyMs, signal)) {
    try {
      await trimLanes(parts);
      await trimDown(parts, signal);
      // The last: where it fails, everything else was trimmed.
      await letGoOfOldEpochs(parts);
    } catch (error) {
      if (error instanceof LeaderReplaced) throw error;
      parts.log.warn({ reason: String(error) }, "the hub's streams could not be trimmed now");
    }
  }
}

async function trimLanes(parts: TrimmerParts): Promise<void> {
  const { connection, database, lead, archived, retention } = parts;
  for (const { region, lane, epoch, sequence } of await readLanes(database)) {
    const stream = hubStream.up(lane, region, epoch);
    const retained = await retainedOf(connection, stream, retention);
    if (retained === undefined) continue;
    await trimHub(parts, stream, trimLane(retained, sequence, archived(stream)));
    await trimMarks(database, lead, { region, lane, epoch }, retained.first);
  }
}

async function trimDown(parts: TrimmerParts, signal: AbortSignal): Promise<void> {
  const { connection, database, lead, state, retention } = parts;
  const snapshots = parts.snapshots();
  const before = snapshots[1];
  const national = hubStream.national(capitalEpoch);
  const retained = await retainedOf(connection, national, retention);
  if (retained !== undefined) {
    const sequences = snapshots.map(({ sequence }) => sequence);
    const upTo = trimNational(retained, sequences, parts.archived(national));
    await trimHub(parts, national, upTo);
    await trimNationalLog(database, lead, capitalEpoch, upTo ?? retained.first - 1, signal);
  }
  if (before !== undefined) await trimHub(parts, hubStream.snapshot(capitalEpoch), before.firstMessage - 1);
  for (const { region, streams } of state.regions.values()) {
    const stream = hubStream.forRegion(region, capitalEpoch);
    const held = streams.find((report) => report.stream === "FOR" && report.epoch === capitalEpoch)?.last;
    const kept = await retainedOf(connection, stream, retention);
    if (kept === undefined) continue;
    const upTo = trimForRegion(kept, held);
    await trimHub(parts, stream, upTo);
    await trimRegionLog(database, lead, region, capitalEpoch, upTo ?? kept.first - 1, signal);
  }
}
