import { readFile } from "node:fs/promises";
import { pause } from "./lifecycle.ts";

/**
 * Gives what files hold, and again whenever one of them has changed, until the
 * signal. They are read again and again, since a mounted folder of a cluster is
 * replaced behind a link, which no watch of a file notices. What is given was
 * read twice in a row: whoever writes in place is let finish. While a file
 * cannot be read, nothing is given.
 */
export async function* watchContents(
  paths: readonly string[],
  everyMs: number,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  let given: string | undefined;
  let before: string | undefined;
  do {
    const contents = await readAll(paths);
    const now = contents === undefined ? undefined : JSON.stringify(contents);
    if (contents !== undefined && now === before && now !== given) {
      given = now;
      yield contents;
    }
    before = now;
  } while (await pause(everyMs, signal));
}

async function readAll(paths: readonly string[]): Promise<string[] | undefined> {
  try {
    return await Promise.all(paths.map((path) => readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}
