import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Content that is on the disk beside its file, and not yet in its place. */
export interface Draft extends Disposable {
  readonly path: string;
}

/** Writes a draft; full disks and missing rights show here, before anything is replaced. */
export function draftOf(file: string, content: string, mode: number): Draft {
  const path = join(dirname(file), `.${basename(file)}.${process.pid}-${randomBytes(4).toString("hex")}`);
  const descriptor = openSync(path, "wx", mode);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** Puts a draft in the place of its file, in one step that survives a loss of power. */
export function place(draft: Draft, file: string): void {
  renameSync(draft.path, file);
  syncFolder(dirname(file));
}

/** Replaces a file: a reader, and whoever comes after a loss of power, sees the old or the new one whole. */
export function writeDurably(file: string, content: string, mode: number): void {
  using draft = draftOf(file, content, mode);
  place(draft, file);
}

/** A name is on the disk when its folder is. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
