import { mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { nameFinally } from "#platform/backup/files.ts";

/** Temporary file, fsync, rename, fsync of the folder: a reader sees the old file or the new one, whole. */
export async function replaceFile(
  path: string,
  chunks: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  try {
    const file = await open(draft, "w", 0o600);
    try {
      // Unlike `write` it goes on where the system took a part alone, as from a disk that is nearly full.
      await file.writeFile(chunks);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    // What was begun would keep a full disk full.
    await rm(draft, { force: true });
    throw error;
  }
  await nameFinally(draft, path);
}
