import { readdirSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Readable } from "node:stream";

/**
 * One path of a layer, without leading slash. Everything belongs to root and
 * is of 1970; of modes there is only whether a file can be executed.
 */
export type Entry =
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly executable: boolean;
      readonly bytes: number;
      /** What it holds: as it is, as a stream to be read once, or as the absolute path of a file. */
      readonly source: Buffer | Readable | string;
    }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** One layer of an image. */
export interface Layer {
  /** Goes into the image's history. */
  readonly comment: string;
  /** Sorted; each path once, after the directories that it is in. */
  readonly entries: readonly Entry[];
}

const directoryMode = 0o755;
const ownerExecutes = 0o100;

/**
 * Sorts the entries, and adds the directories that they are in.
 *
 * @throws RangeError when two of them want the same path
 */
export function layer(comment: string, entries: Iterable<Entry>): Layer {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    const there = byPath.get(entry.path);
    if (there !== undefined && !(there.kind === "directory" && entry.kind === "directory")) {
      throw new RangeError(`two entries of a layer want ${entry.path}`);
    }
    byPath.set(entry.path, entry);
  }
  for (const path of [...byPath.keys()]) {
    for (let parent = posix.dirname(path); parent !== "."; parent = posix.dirname(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, directory(parent));
    }
  }
  return { comment, entries: [...byPath.values()].toSorted(byPathOrder) };
}

/** By code units, whatever the machine's language is. */
function byPathOrder(left: { readonly path: string }, right: { readonly path: string }): number {
  return left.path < right.path ? -1 : left.path > right.path ? 1 : 0;
}

export const directory = (path: string, mode = directoryMode): Entry => ({ kind: "directory", path, mode });

export const link = (path: string, target: string): Entry => ({ kind: "link", path, target });

export function text(path: string, content: string): Entry {
  const source = Buffer.from(content);
  return { kind: "file", path, executable: false, bytes: source.length, source };
}

/** A file of this machine at a path of the image; links are followed. */
export function copy(path: string, file: string): Entry {
  const { mode, size } = statSync(file);
  return { kind: "file", path, executable: (mode & ownerExecutes) !== 0, bytes: size, source: file };
}

/** A file below a folder: its path from there, and whether it is a link. */
export interface Found {
  readonly path: string;
  readonly isLink: boolean;
}

/**
 * Files and links below a folder, sorted; folders themselves are not told.
 *
 * @param enters whether to look into a folder; it gets its path from there
 */
export function filesBelow(folder: string, enters: (path: string) => boolean = () => true): Found[] {
  const found: Found[] = [];
  const pending = [""];
  for (let within = pending.pop(); within !== undefined; within = pending.pop()) {
    for (const entry of readdirSync(join(folder, within), { withFileTypes: true })) {
      const path = posix.join(within, entry.name);
      if (entry.isDirectory()) {
        if (enters(path)) pending.push(path);
      } else if (entry.isFile() || entry.isSymbolicLink()) {
        found.push({ path, isLink: entry.isSymbolicLink() });
      }
    }
  }
  return found.toSorted(byPathOrder);
}
