import { existsSync, mkdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BackupTooNew, recoverDatabase, takeRestored, type Recovered } from "#infra/local/recovery.ts";
import { BackupFolder } from "#platform/backup/backup-folder.ts";
import { beganAtMs, labelOf } from "#platform/backup/retention.ts";
import { leadsTo, type Histories } from "#platform/backup/timelines.ts";
import { CommandFailed } from "../failure.ts";
import type { LocalSite, SiteBackups } from "./site.ts";

/** Which moment of a database is wanted. */
export interface Wanted {
  readonly until: Date | undefined;
  readonly timeline: number | undefined;
}

/** A database that came back. */
export interface Restored extends Recovered {
  /** The base backup that it came from. */
  readonly label: string;
  /** Where what was there before is now; undefined: nothing was there. */
  readonly setAside: string | undefined;
}

/**
 * Recovers a site's database beside its place, then puts it there. What was in
 * that place, and in others of the site that are made anew, is set aside:
 * nothing that may be the only copy is deleted. The site must not run meanwhile.
 *
 * @param anew further storage of the site that begins empty
 * @throws CommandFailed `no-backup`; LocalRunError `not-restorable`; everything is as it was then
 */
export async function restoreDatabase(
  site: LocalSite,
  backups: SiteBackups,
  wanted: Wanted,
  anew: readonly string[],
  onSegment: (segment: string) => void,
): Promise<Restored> {
  const { label, recovered } = await recover(site, backups, wanted, onSegment);
  const setAside = moveAside(site, [site.database, ...anew]);
  takeRestored(site.database);
  return { ...recovered, label, setAside };
}

/** The newest base backup that is old enough, and from which the log leads to the history that is wanted. */
async function recover(
  site: LocalSite,
  { path, folder }: SiteBackups,
  { until, timeline }: Wanted,
  onSegment: (segment: string) => void,
): Promise<{ label: string; recovered: Recovered }> {
  const untilMs = until?.getTime() ?? Infinity;
  const backups = await folder.backups();
  const old = backups.filter(({ label }) => (beganAtMs(label) ?? 0) <= untilMs);
  // Also what the site has archived by itself since a backup that was made into another folder.
  const walIn = [...new Set([path, site.archive ?? path])];
  const histories = await historiesIn(walIn);
  const leading = old.filter((backup) => leadsTo(backup, timeline, histories));
  for (const { label } of leading) {
    try {
      const recovered = await recoverDatabase({
        storage: site.database,
        server: site.postgres.server,
        password: site.password,
        base: folder.folderOf(label),
        walIn,
        archive: site.archive ?? path,
        until,
        timeline,
        logFile: join(site.folder.logs, `${site.name}-recovery.log`),
        onSegment,
      });
      return { label, recovered };
    } catch (error) {
      if (!(error instanceof BackupTooNew)) throw error;
    }
  }
  if (old.length > 0 && leading.length === 0) throw noneLeads(site.name, path, timeline);
  const labels = backups.map(({ label }) => label);
  throw noBackup(site.name, path, labels, until);
}

async function historiesIn(folders: readonly string[]): Promise<Histories> {
  const found = await Promise.all(folders.map((folder) => new BackupFolder(folder).histories()));
  return new Map(found.flatMap((histories) => [...histories]));
}

function noneLeads(site: string, path: string, timeline: number | undefined): CommandFailed {
  return new CommandFailed({
    code: "no-backup",
    field: timeline === undefined ? "from" : "timeline",
    value: timeline === undefined ? path : String(timeline),
    message: `no base backup of ${site} leads to ${timeline === undefined ? "its latest history" : `history ${timeline}`}`,
    remedy: "name another with --timeline: each restore began one, and its answer named it",
  });
}

function noBackup(
  site: string,
  path: string,
  labels: readonly string[],
  until: Date | undefined,
): CommandFailed {
  const oldest = labels.toSorted()[0];
  if (oldest === undefined || until === undefined) {
    return new CommandFailed({
      code: "no-backup",
      field: "from",
      value: path,
      message: `there is no base backup of ${site}`,
      remedy: "name the folder that `qalqan backup` or `qalqan start --backups` wrote to with --from",
    });
  }
  return new CommandFailed({
    code: "no-backup",
    field: "until",
    value: until.toISOString(),
    message: `no base backup of ${site} is so old`,
    remedy: `the oldest is ${oldest}: name a moment after it`,
  });
}

/**
 * Moves storage out of the way.
 *
 * @returns where it is now; undefined: there was none
 */
export function moveAside(site: LocalSite, paths: readonly string[]): string | undefined {
  const there = paths.filter((path) => existsSync(path));
  if (there.length === 0) return undefined;
  const aside = makeAside(site);
  for (const path of there) renameSync(path, join(aside, basename(path)));
  return aside;
}

/** Labels name a second, and a small database is restored twice in one: each time has a folder of its own. */
function makeAside(site: LocalSite): string {
  const named = site.folder.setAside(site.name, labelOf(Date.now()));
  mkdirSync(dirname(named), { recursive: true, mode: 0o700 });
  for (let time = 1; ; time += 1) {
    const aside = time === 1 ? named : `${named}-${time}`;
    if (existsSync(aside)) continue;
    mkdirSync(aside, { mode: 0o700 });
    return aside;
  }
}
