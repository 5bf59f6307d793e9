import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, rm, rename, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { beganAtMs, neededFrom, newestFirst, superfluous, type Backup } from "./retention.ts";
import { ancestorsIn, timelineOfHistory, type Ancestor } from "./timelines.ts";
import { checkpointOf, firstSegmentOf, segmentsBefore } from "./wal.ts";
import { isMissing, makeFolder, nameFinally, syncFile, syncFolder, writeNew } from "./files.ts";

/** While it is not complete, and while it is taken away, a backup has another name than its label. */
const draftEnding = ".new";
const oldEnding = ".old";
const identifierFile = "system-identifier";

/** The folder belongs to another cluster of databases than the one beside this process. */
export class OtherDatabase extends Error {
  override readonly name = "OtherDatabase";
}

/** Two histories of a database meet in one folder: the same name, and other bytes. */
export class OtherSegment extends Error {
  override readonly name = "OtherSegment";
}

export interface Pruned {
  readonly backups: readonly string[];
  readonly segments: number;
  readonly bytes: number;
}

/** The folder of one server's base backups and archived WAL. */
export class BackupFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get #base(): string {
    return join(this.#folder, "base");
  }
  /** Where the server's own `archive_command` copies segments to. */
  get wal(): string {
    return join(this.#folder, "wal");
  }

  /** Makes the folders, and takes away what a killed keeper left half made or half removed. */
  async prepare(): Promise<string[]> {
    await makeFolder(this.#base);
    await makeFolder(this.wal);
    const half = (await readdir(this.#base)).filter(
      (name) => name.endsWith(draftEnding) || name.endsWith(oldEnding),
    );
    for (const name of half) await rm(join(this.#base, name), { recursive: true });
    return half;
  }

  /**
   * Sees that what is here belongs to this cluster: two clusters in one archive
   * would each take the other's log for its own.
   *
   * @throws OtherDatabase
   */
  async claim(identifier: string): Promise<void> {
    const path = join(this.#folder, identifierFile);
    let known: string;
    try {
      known = (await readFile(path, "utf8")).trim();
    } catch (error) {
      if (!isMissing(error)) throw error;
      await rm(`${path}${draftEnding}`, { force: true });
      await writeNew(`${path}${draftEnding}`, `${identifier}\n`);
      await nameFinally(`${path}${draftEnding}`, path);
      return;
    }
    if (known === identifier) return;
    throw new OtherDatabase(
      `the backups here are those of the database ${known}, and this is ${identifier}: ` +
        "restore it from them, or move them away",
    );
  }

  /** Labels of the complete backups; none where there is no folder. */
  async labels(): Promise<string[]> {
    return (await namesIn(this.#base)).filter((name) => beganAtMs(name) !== undefined);
  }

  async #backup(label: string): Promise<Backup> {
    const text = await readFile(join(this.#base, label, "backup_label"), "utf8");
    return { label, firstSegment: firstSegmentOf(text), checkpoint: checkpointOf(text) };
  }

  /** Bytes that can still be written here. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  /** Folder of a backup that is being made. */
  draftOf(label: string): string {
    return join(this.#base, `${label}${draftEnding}`);
  }

  /** The draft is complete, and on the disk. */
  async finish(label: string): Promise<void> {
    await nameFinally(this.draftOf(label), join(this.#base, label));
  }

  /** Takes away a draft, if there is one. */
  async discard(label: string): Promise<void> {
    await rm(this.draftOf(label), { recursive: true, force: true });
  }

  hasSegment(segment: string): boolean {
    return existsSync(join(this.wal, segment));
  }

  /**
   * Takes a finished segment in, as an `archive_command` would, also beside one
   * that does the same.
   *
   * @throws OtherSegment
   */
  async takeSegment(from: string, segment: string): Promise<void> {
    const path = join(this.wal, segment);
    const draft = `${path}.${process.pid}${draftEnding}`;
    if (existsSync(path)) {
      const [ours, theirs] = await Promise.all([readFile(path), readFile(from)]);
      if (!ours.equals(theirs)) throw new OtherSegment(`another segment ${segment} is in ${this.wal}`);
      return;
    }
    await copyFile(from, draft);
    await syncFile(draft);
    await nameFinally(draft, path);
  }

  /** The complete backups with what they need, from the newest to the oldest. */
  async backups(): Promise<Backup[]> {
    return newestFirst(await Promise.all((await this.labels()).map((label) => this.#backup(label))));
  }

  /** The timelines that were archived here, but for the first, each with those that it comes from. */
  async histories(): Promise<Map<number, readonly Ancestor[]>> {
    const found = new Map<number, readonly Ancestor[]>();
    for (const file of await namesIn(this.wal)) {
      const timeline = timelineOfHistory(file);
      if (timeline !== undefined)
        found.set(timeline, ancestorsIn(await readFile(join(this.wal, file), "utf8")));
    }
    return found;
  }

  /** Folder of a complete backup. */
  folderOf(label: string): string {
    return join(this.#base, label);
  }

  /**
   * Removes backups beyond those that are kept, then the WAL that none of these
   * needs; nothing while one backup does not say what it needs.
   *
   * @throws LabelUnreadable, or what the disk says
   */
  async prune(kept: number): Promise<Pruned> {
    const backups = await this.backups();
    const leaving = superfluous(backups, kept);
    for (const { label } of leaving) await this.#remove(label);
    const from = neededFrom(backups.filter((backup) => !leaving.includes(backup)));
    if (from === undefined) return { backups: [], segments: 0, bytes: 0 };
    const segments = segmentsBefore(await readdir(this.wal), from);
    let bytes = 0;
    for (const segment of segments) {
      const path = join(this.wal, segment);
      bytes += (await stat(path)).size;
      await rm(path);
    }
    return { backups: leaving.map(({ label }) => label), segments: segments.length, bytes };
  }

  /** Half a backup must not look like one. */
  async #remove(label: string): Promise<void> {
    const old = join(this.#base, `${label}${oldEnding}`);
    await rename(join(this.#base, label), old);
    await syncFolder(this.#base);
    await rm(old, { recursive: true });
  }
}

/** What is in a folder; nothing where there is no folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
