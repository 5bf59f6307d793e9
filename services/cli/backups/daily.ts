import { dueAtMs } from "#platform/backup/retention.ts";
import { pause } from "#platform/lifecycle.ts";
import type { GlobalOptions } from "../options.ts";
import { backUp } from "./back-up.ts";
import { LocalSite } from "./site.ts";

const everyMs = 24 * 3_600_000;
const keptMax = 3;
const lookIntervalMs = 60_000;

/**
 * What the keeper does on clusters, for a local run that is archived: a base
 * backup of each site a day, three of each kept. They are made one after the
 * other. One that fails is said, and tried again after a minute.
 *
 * @param say takes one line for people
 */
export async function backUpDaily(
  options: GlobalOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  do {
    for (const site of LocalSite.all(options)) {
      if (site.archive === undefined) return;
      try {
        await backUpWhenDue(site, signal);
      } catch (error) {
        if (signal.aborted) return;
        say(`no base backup of ${site.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } while (await pause(lookIntervalMs, signal));
}

async function backUpWhenDue(site: LocalSite, signal: AbortSignal): Promise<void> {
  const backups = site.backups("to", undefined);
  const nowMs = Date.now();
  if (nowMs < dueAtMs(await backups.folder.labels(), everyMs, nowMs)) return;
  await backUp(site, backups, signal);
  await backups.folder.prune(keptMax);
}
