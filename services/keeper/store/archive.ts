import { existsSync } from "node:fs";
import { readdir, readFile, rm, rename, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { beganAtMs, neededFrom, superfluous, type Backup } from "../domain/retention.ts";
import { firstSegmentOf, segmentsBefore } from "../domain/wal.ts";
import { isMissing, makeFolder, nameFinally, syncFolder, writeNew } from "./files.ts";

/** While it is not complete, and while it is taken away, a backup has another name than its label. */
const draftEnding = ".new";
const oldEnding = ".old";
const identifierFile = "system-identifier";

/** The folder belongs to another cluster of databases than the one beside this process. */
export class OtherDatabase extends Error {
  override readonly name = "OtherDatabase";
}

export interface Pruned {
  readonly backups: readonly string[];
  readonly segments: number;
  readonly bytes: number;
}

/** The folder of base backups and archived WAL. */
export class Archive {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get #base(): string {
    return join(this.#folder, "base");
  }
  get #wal(): string {
    return join(this.#folder, "wal");
  }

  /** Makes the folders, and takes away what a killed keeper left half made or half removed. */
  async prepare(): Promise<string[]> {
    await makeFolder(this.#base);
    await makeFolder(this.#wal);
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

  /** Labels of the complete backups. */
  async labels(): Promise<string[]> {
    return (await readdir(this.#base)).filter((name) => beganAtMs(name) !== undefined);
  }

  async #backup(label: string): Promise<Backup> {
    const text = await readFile(join(this.#base, label, "backup_label"), "utf8");
    return { label, firstSegment: firstSegmentOf(text) };
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
    return existsSync(join(this.#wal, segment));
  }

  /**
   * Removes backups beyond those that are kept, then the WAL that none of these
   * needs; nothing while one backup does not say what it needs.
   *
   * @throws LabelUnreadable, or what the disk says
   */
  async prune(kept: number): Promise<Pruned> {
    const labels = await this.labels();
    const backups = await Promise.all(labels.map((label) => this.#backup(label)));
    const leaving = superfluous(backups, kept);
    for (const { label } of leaving) await this.#remove(label);
    const from = neededFrom(backups.filter((backup) => !leaving.includes(backup)));
    if (from === undefined) return { backups: [], segments: 0, bytes: 0 };
    const segments = segmentsBefore(await readdir(this.#wal), from);
    let bytes = 0;
    for (const segment of segments) {
      const path = join(this.#wal, segment);
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
