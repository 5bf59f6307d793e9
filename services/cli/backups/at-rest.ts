import type { LocalSite } from "./site.ts";

/**
 * Does something with a site's storage while nothing of the site that needs it
 * runs; afterwards what ran goes on, also where it failed. Of a nation that
 * does not run nobody can start anything meanwhile.
 *
 * @param between done when the servers run again, and nothing that speaks to them: what it throws leaves it so
 */
export async function atRest<Result>(
  site: LocalSite,
  names: readonly string[],
  work: () => Promise<Result>,
  between: () => Promise<void> = async () => undefined,
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
  const [servers = [], ...services] = steps;
  await site.start(servers);
  await between();
  for (const step of services) await site.start(step);
  return result;
}
