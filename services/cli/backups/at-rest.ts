import type { LocalSite } from "./site.ts";

/**
 * Does something with a site's storage while nothing of the site that needs it
 * runs; afterwards what ran goes on, also where it failed. Of a nation that
 * does not run nobody can start anything meanwhile.
 */
export async function atRest<Result>(
  site: LocalSite,
  names: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  if (!site.isRunning) {
    const lock = site.folder.lock();
    try {
      return await work();
    } finally {
      lock.release();
    }
  }
  const stopped = await site.stopOrder(names);
  await site.stop(stopped);
  let result;
  try {
    result = await work();
  } catch (error) {
    // As it was before; why it does not start, if it does not, is the lesser trouble now.
    await site.start(stopped.toReversed()).catch(() => undefined);
    throw error;
  }
  await site.start(stopped.toReversed());
  return result;
}
