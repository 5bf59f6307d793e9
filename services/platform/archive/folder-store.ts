import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { isMissing, makeFolder, nameFinally, writeNew } from "../backup/files.ts";
import type { ObjectStore } from "./object-store.ts";

const draftEnding = ".new";

/** Objects as files below a folder, each on the disk before it has its name. */
export class FolderStore implements ObjectStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#folder, name);
    if (existsSync(path)) return;
    await makeFolder(dirname(path));
    // Of a writer that was killed.
    await rm(`${path}${draftEnding}`, { force: true });
    await writeNew(`${path}${draftEnding}`, bytes);
    await nameFinally(`${path}${draftEnding}`, path);
  }

  get(name: string): Promise<Buffer> {
    return readFile(join(this.#folder, name));
  }

  async list(prefix: string): Promise<string[]> {
    const start = join(this.#folder, prefix.endsWith("/") ? prefix : dirname(prefix));
    let entries;
    try {
      entries = await readdir(start, { recursive: true, withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(draftEnding))
      .map((entry) => relative(this.#folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .filter((name) => name.startsWith(prefix))
      .sort();
  }
}
