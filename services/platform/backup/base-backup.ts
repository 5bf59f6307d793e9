import { join } from "node:path";
import type pg from "pg";
import { pause } from "../lifecycle.ts";
import type { BackupFolder } from "./backup-folder.ts";
import { BackupSession } from "./backup-session.ts";
import { copyData, listData, type Copied, type DataFolder } from "./data-copy.ts";
import { makeFolder, syncFolder, writeNew } from "./files.ts";
import { labelOf } from "./retention.ts";
import { firstSegmentOf, segmentsBetween } from "./wal.ts";

/** The WAL that a backup needs is in the archive within this time, or the backup is given up (ms). */
const archiveWaitMs = 10 * 60_000;
const archiveLookMs = 200;
/** What must be free beyond the size of the data, for WAL that is archived meanwhile (bytes). */
const spareBytes = 64 * 1024 * 1024;

/** A backup cannot be made as things are; the message says what must be otherwise. */
export class BackupImpossible extends Error {
  override readonly name = "BackupImpossible";
}

/** A complete backup. */
export interface Made extends Copied {
  /** Names the backup (labelOf). */
  readonly label: string;
  /** The last WAL segment that it needs. */
  readonly lastSegment: string;
}

/** What is to be backed up, and where to. */
export interface BackupOrder {
  /** How the server is reached, as a superuser. */
  readonly address: pg.ClientConfig;
  /** The server's own folder (PGDATA); it is only read. */
  readonly dataFolder: string;
  readonly into: BackupFolder;
  /** Who brings the WAL into the folder: the server's own `archive_command`, or whoever makes the backup. */
  readonly wal: "archived-by-the-server" | "copied-here";
  readonly signal: AbortSignal;
  /** Told the name of the backup. */
  readonly onBegun?: (label: string) => void;
  /** Told how many bytes of how many are copied. */
  readonly onProgress?: (done: number, of: number) => void;
}

/**
 * Makes one base backup: begins it, copies the files under a draft's name, ends
 * it, sees that all WAL that it needs is in the folder, and only then gives
 * it its name. Whatever fails in between leaves at most a draft.
 *
 * @throws BackupImpossible, OtherDatabase, OtherSegment, NotCopied, or what the server or the disk says
 */
export async function makeBackup(order: BackupOrder): Promise<Made> {
  const session = await BackupSession.open(order.address, order.signal);
  try {
    const { archives, identifier, segmentBytes } = await session.server();
    if (order.wal === "archived-by-the-server" && !archives) {
      throw new BackupImpossible("archive_mode is off: without the WAL a base backup cannot be restored");
    }
    await session.untilAlone();
    await order.into.prepare();
    await order.into.claim(identifier);
    if (order.wal === "copied-here") await session.holdWal();
    const data = await listData(order.dataFolder);
    await requireRoom(order.into, data);
    const label = await freeLabel(order);
    order.onBegun?.(label);
    try {
      return await copyBetween(session, order, label, data, segmentBytes);
    } catch (error) {
      await order.into.discard(label);
      throw error;
    }
  } catch (error) {
    // The signal's own reason says more than a query that was cut off by it.
    session.signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

/** Labels name a second: who comes in the same one as another waits for the next. */
async function freeLabel({ into, signal }: BackupOrder): Promise<string> {
  const taken = await into.labels();
  for (;;) {
    const label = labelOf(Date.now());
    if (!taken.includes(label)) return label;
    if (!(await pause(archiveLookMs, signal))) throw signal.reason;
  }
}

/** Archived WAL goes to the same disk: a backup that fills it would stop the archiver, and then the database. */
async function requireRoom(into: BackupFolder, data: DataFolder): Promise<void> {
  const free = await into.freeBytes();
  const needed = data.bytes + spareBytes;
  if (free >= needed) return;
  throw new BackupImpossible(`the backup needs ${needed} bytes, and ${free} are free`);
}

async function copyBetween(
  session: BackupSession,
  { dataFolder, into, wal, onProgress }: BackupOrder,
  label: string,
  data: DataFolder,
  segmentBytes: number,
): Promise<Made> {
  const draft = into.draftOf(label);
  await makeFolder(draft);
  await session.begin(label);
  // What came into being since it was listed is made again by the log.
  const copied = await copyData(dataFolder, data, draft, session.signal, (done) =>
    onProgress?.(done, data.bytes),
  );
  const end = await session.end();
  await writeNew(join(draft, "backup_label"), end.label);
  if (end.tablespaceMap !== "") await writeNew(join(draft, "tablespace_map"), end.tablespaceMap);
  await syncFolder(draft);
  const segments = segmentsBetween(firstSegmentOf(end.label), end.lastSegment, segmentBytes);
  if (wal === "copied-here") {
    for (const segment of segments) await into.takeSegment(join(dataFolder, "pg_wal", segment), segment);
  } else {
    await untilArchived(into, segments, session.signal);
  }
  await into.finish(label);
  return { ...copied, label, lastSegment: end.lastSegment };
}

async function untilArchived(
  into: BackupFolder,
  segments: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const endMs = Date.now() + archiveWaitMs;
  for (;;) {
    const missing = segments.find((segment) => !into.hasSegment(segment));
    if (missing === undefined) return;
    if (Date.now() > endMs) {
      throw new BackupImpossible(
        `WAL segment ${missing} did not come into the archive within ${archiveWaitMs} ms`,
      );
    }
    if (!(await pause(archiveLookMs, signal))) throw signal.reason;
  }
}
