import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole, type DataFolder } from "./data-folder.ts";

/** Ends the archiving of a data folder. */
export const noBackups = "off";

/**
 * The folder that the databases of a data folder are archived to, one folder a
 * site in it; undefined: they are not archived.
 */
export function backupsOf(folder: DataFolder): string | undefined {
  return existsSync(folder.backupsFile) ? readFileSync(folder.backupsFile, "utf8").trim() : undefined;
}

/**
 * Archives from the next start on, and at every start after it: a base backup
 * is worth something beyond its own moment only with all WAL since.
 *
 * @param backups absolute path, or `off`
 */
export function keepBackups(folder: DataFolder, backups: string): void {
  if (backups === noBackups) rmSync(folder.backupsFile, { force: true });
  else writeWhole(folder.backupsFile, `${backups}\n`);
}

/** Where a site's base backups and WAL are in a folder of backups. */
export const siteBackups = (backups: string, site: string): string => join(backups, site);
