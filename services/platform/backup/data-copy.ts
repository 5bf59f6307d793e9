import type { Dirent } from "node:fs";
import { open, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { controlFile, isEmptied, isLeftOut } from "./data-folder.ts";
import { isMissing, syncFolder, writeNew } from "./files.ts";

/** Files copied at once, each through a buffer of its own (bytes). */
const copiesAtOnce = 4;
const copyBufferBytes = 256 * 1024;

/** Something of a data folder cannot be part of a base backup. */
export class NotCopied extends Error {
  override readonly name = "NotCopied";
}

export interface Copied {
  readonly files: number;
  readonly bytes: number;
}

/** What there is to copy: paths relative to the data folder, folders before what is in them. */
export interface DataFolder {
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly bytes: number;
}

/**
 * Lists a data folder whose server goes on working: what vanishes meanwhile
 * is left out.
 *
 * @throws NotCopied for a tablespace of its own
 */
export async function listData(root: string): Promise<DataFolder> {
  const found = { folders: [] as string[], files: [] as string[], bytes: 0 };
  const waiting = [""];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of await entriesOf(join(root, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (folder === "pg_tblspc") {
        throw new NotCopied(`the tablespace ${entry.name} is outside the data folder, and is not backed up`);
      }
      if (isLeftOut(path)) continue;
      // Also where it is a link to a disk of its own.
      if (entry.isDirectory() || isEmptied(path)) {
        found.folders.push(path);
        if (!isEmptied(path)) waiting.push(path);
      } else if (entry.isFile()) {
        found.files.push(path);
        found.bytes += (await sizeOf(join(root, path))) ?? 0;
      }
    }
  }
  return found;
}

/**
 * Copies what was listed, through to the disk. Files may change while they are
 * read: the log, replayed from the beginning of the backup, mends that. Those
 * that have vanished are made or removed by the log too.
 */
export async function copyData(
  root: string,
  { folders, files }: DataFolder,
  target: string,
  signal: AbortSignal,
  onCopied: (bytes: number) => void = () => undefined,
): Promise<Copied> {
  for (const folder of folders) await mkdir(join(target, folder), { mode: 0o700 });
  const copied = { files: 0, bytes: 0 };
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const waiting = files.filter((path) => path !== controlFile).values();
  const copySome = async () => {
    const buffer = Buffer.allocUnsafe(copyBufferBytes);
    for (const path of waiting) {
      const bytes = await copyFile(join(root, path), join(target, path), buffer, either);
      if (bytes === undefined) continue;
      copied.files += 1;
      copied.bytes += bytes;
      onCopied(copied.bytes);
    }
  };
  // All have ended when this one ends: whoever removes the copy then is not raced.
  await Promise.allSettled(
    Array.from({ length: copiesAtOnce }, () => copySome().catch((error: unknown) => failed.abort(error))),
  );
  either.throwIfAborted();
  const control = await readAgreeing(join(root, controlFile), signal);
  await writeNew(join(target, controlFile), control);
  for (const folder of folders) await syncFolder(join(target, folder));
  return { files: copied.files + 1, bytes: copied.bytes + control.length };
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** @returns bytes copied; undefined: the file has vanished */
async function copyFile(
  from: string,
  to: string,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<number | undefined> {
  signal.throwIfAborted();
  let source;
  try {
    source = await open(from, "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const copy = await open(to, "wx", 0o600);
    try {
      let total = 0;
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, buffer.length, total);
        if (bytesRead === 0) break;
        await writeWhole(copy, buffer.subarray(0, bytesRead), total);
        total += bytesRead;
      }
      await copy.sync();
      return total;
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}

async function writeWhole(
  file: Awaited<ReturnType<typeof open>>,
  bytes: Uint8Array,
  at: number,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}

/**
 * Reads a small file that is written in place until two readings agree: one
 * alone may be half old and half new.
 */
async function readAgreeing(path: string, signal: AbortSignal): Promise<Buffer> {
  const attemptsMax = 50;
  let before = await readFile(path);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    await sleep(20, undefined, { signal });
    const now = await readFile(path);
    if (now.equals(before)) return now;
    before = now;
  }
  throw new NotCopied(`${controlFile} was never twice the same`);
}
