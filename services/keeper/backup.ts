import { join } from "node:path";
import { pause } from "#platform/lifecycle.ts";
import { archiveWaitMs, spareBytes } from "./config.ts";
import { firstSegmentOf, segmentsBetween } from "./domain/wal.ts";
import type { Archive } from "./store/archive.ts";
import { copyData, listData, type Copied, type DataFolder } from "./store/data-copy.ts";
import type { BackupSession, Database } from "./store/database.ts";
import { makeFolder, syncFolder, writeNew } from "./store/files.ts";

const archiveLookMs = 200;

/** A backup cannot be made as things are; the message says what must be otherwise. */
export class BackupImpossible extends Error {
  override readonly name = "BackupImpossible";
}

/** A complete backup. */
export interface Made extends Copied {
  /** The last WAL segment that it needs. */
  readonly lastSegment: string;
}

/**
 * Makes one base backup: begins it, copies the files under a draft's name, ends
 * it, waits until all WAL that it needs is in the archive, and only then gives
 * it its name. Whatever fails in between leaves at most a draft.
 *
 * @throws BackupImpossible, NotCopied, or what the server or the disk says
 */
export async function makeBackup(
  label: string,
  database: Database,
  archive: Archive,
  dataFolder: string,
  signal: AbortSignal,
): Promise<Made> {
  const session = await database.openBackup(signal);
  try {
    const server = await session.server();
    if (!server.archives) {
      throw new BackupImpossible("archive_mode is off: without the WAL a base backup cannot be restored");
    }
    const data = await listData(dataFolder);
    await requireRoom(archive, data);
    return await copyBetween(session, label, archive, { folder: dataFolder, data }, server.segmentBytes);
  } catch (error) {
    await archive.discard(label);
    // The signal's own reason says more than a query that was cut off by it.
    session.signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

/** Archived WAL goes to the same disk: a backup that fills it would stop the archiver, and then the database. */
async function requireRoom(archive: Archive, data: DataFolder): Promise<void> {
  const free = await archive.freeBytes();
  const needed = data.bytes + spareBytes;
  if (free >= needed) return;
  throw new BackupImpossible(`the backup needs ${needed} bytes, and ${free} are free`);
}

async function copyBetween(
  session: BackupSession,
  label: string,
  archive: Archive,
  source: { readonly folder: string; readonly data: DataFolder },
  segmentBytes: number,
): Promise<Made> {
  const draft = archive.draftOf(label);
  await makeFolder(draft);
  await session.begin(label);
  // What came into being since it was listed is made again by the log.
  const copied = await copyData(source.folder, source.data, draft, session.signal);
  const end = await session.end();
  await writeNew(join(draft, "backup_label"), end.label);
  if (end.tablespaceMap !== "") await writeNew(join(draft, "tablespace_map"), end.tablespaceMap);
  await syncFolder(draft);
  const segments = segmentsBetween(firstSegmentOf(end.label), end.lastSegment, segmentBytes);
  await untilArchived(archive, segments, session.signal);
  await archive.finish(label);
  return { ...copied, lastSegment: end.lastSegment };
}

async function untilArchived(
  archive: Archive,
  segments: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const endMs = Date.now() + archiveWaitMs;
  for (;;) {
    const missing = segments.find((segment) => !archive.hasSegment(segment));
    if (missing === undefined) return;
    if (Date.now() > endMs) {
      throw new BackupImpossible(
        `WAL segment ${missing} did not come into the archive within ${archiveWaitMs} ms`,
      );
    }
    if (!(await pause(archiveLookMs, signal))) throw signal.reason;
  }
}
