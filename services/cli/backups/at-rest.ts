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
  const steps = await site.steps(names);
  const goOn = async () => {
    for (const step of steps) await site.start(step);
  };
  for (const step of steps.toReversed()) await site.stop(step);
  let result;
  try {
    result = await work();
  } catch (error) {
    // As it was before; why it does not start, if it does not, is the lesser trouble now.
    await goOn().catch(() => undefined);
    throw error;
  }
  await goOn();
  return result;
}
