import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { first } from "../people.ts";
import { CommandFailed } from "../failure.ts";
import type { GlobalOptions } from "../options.ts";
import { openSampleSession } from "../session.ts";
import { atRest } from "./at-rest.ts";
import { moveAside, restoreDatabase, type Restored } from "./restore-database.ts";
import type { LocalSite, SiteBackups } from "./site.ts";

/** A site is heard and judged within this time after its services answer, or the command says what is missing. */
const syncWaitMs = 300_000;
const lookIntervalMs = 250;
const askWaitMs = 3_000;

/** A site that was made anew from its backups and from the other end of the line. */
export interface Rebuilt {
  /** Undefined: it begins with an empty database. */
  readonly restored: Restored | undefined;
  readonly setAside: string | undefined;
}

/**
 * Makes everything that a site keeps anew, its keys alone stay: PostgreSQL from
 * its backup, the streams and files empty, so that they fill from there and
 * from the other end of the line. What is still there is set aside.
 *
 * @param backups undefined: there are none, and none are wanted
 * @param between done when the servers run again, before any service does
 */
export async function rebuild(
  site: LocalSite,
  backups: SiteBackups | undefined,
  onSegment: (segment: string) => void,
  between?: () => Promise<void>,
): Promise<Rebuilt> {
  const names = site.stack.workloads.map(({ name }) => name);
  return atRest(site, names, () => makeAnew(site, backups, onSegment), between);
}

async function makeAnew(
  site: LocalSite,
  backups: SiteBackups | undefined,
  onSegment: (segment: string) => void,
): Promise<Rebuilt> {
  const others = site.otherStorage;
  const whole = { until: undefined, timeline: undefined };
  const restored =
    backups === undefined ? undefined : await restoreDatabase(site, backups, whole, others, onSegment);
  const setAside = restored === undefined ? moveAside(site, [site.database, ...others]) : restored.setAside;
  for (const path of others) mkdirSync(path, { recursive: true, mode: 0o700 });
  return { restored, setAside };
}

/** One region as the capital judges it. */
export interface Judged {
  readonly region: string;
  readonly state: string;
}

/**
 * Waits until the capital has heard all of these regions since it was called,
 * and finds them in sync: table and digest are those of the capital.
 *
 * @throws CommandFailed naming those that are not
 */
export async function untilInSync(options: GlobalOptions, regions: readonly string[]): Promise<void> {
  using session = await openSampleSession(options);
  const sinceMs = Date.now();
  const endMs = sinceMs + syncWaitMs;
  let waited: readonly Judged[] = [];
  while (Date.now() < endMs) {
    try {
      const coordination = await session.coordination(first("central-prosecutor", ""), "quiet");
      const status = await coordination.call("getStatus", {}, askWaitMs);
      waited = status.regions
        .filter(({ region }) => regions.includes(region))
        // A region that was in sync before its disks were lost is judged so for a while after.
        .map((each) =>
          status.atMs - each.stalenessMs < sinceMs ? { ...each, state: "not heard yet" } : each,
        )
        .filter(({ state, stalenessMs }) => state !== "in-sync" || stalenessMs < 0);
      if (waited.length === 0 && status.regions.length > 0) return;
    } catch {
      // Not there yet; in the end it is said.
    }
    await sleep(lookIntervalMs);
  }
  const named = waited.map(({ region, state }) => `${region} is ${state}`).join(", ");
  throw new CommandFailed({
    code: "not-in-sync",
    field: "region",
    value: regions.join(","),
    message: `everything runs again, and not all are in sync: ${named === "" ? "the capital does not answer" : named}`,
    remedy: "see `qalqan status`; what is still being copied goes on, and the command may be repeated",
  });
}
