import { BackupImpossible, makeBackup } from "#platform/backup/base-backup.ts";
import { OtherDatabase, OtherSegment } from "#platform/backup/backup-folder.ts";
import { NotCopied } from "#platform/backup/data-copy.ts";
import { CommandFailed } from "../failure.ts";
import type { LocalSite, SiteBackups } from "./site.ts";

/** A base backup that was made. */
export interface SiteBackup {
  readonly site: string;
  readonly label: string;
  readonly folder: string;
  readonly bytes: number;
  readonly milliseconds: number;
  /** Every moment from here on can be restored, as long as the WAL is archived; else this one alone. */
  readonly continuous: boolean;
}

/**
 * Makes a base backup of a running site's PostgreSQL.
 *
 * @throws CommandFailed `not-backed-up`
 */
export async function backUp(
  site: LocalSite,
  backups: SiteBackups,
  signal: AbortSignal,
  onProgress: (done: number, of: number) => void = () => undefined,
): Promise<SiteBackup> {
  const { server } = site.postgres;
  const beganMs = performance.now();
  try {
    const { bytes, label } = await makeBackup({
      address: {
        ...site.databaseAddress,
        user: server.superuser,
        password: site.password,
        database: server.database,
        application_name: "backup",
      },
      dataFolder: site.database,
      into: backups.folder,
      wal: backups.isOwnArchive ? "archived-by-the-server" : "copied-here",
      signal,
      onProgress,
    });
    const milliseconds = Math.round(performance.now() - beganMs);
    const folder = backups.folder.folderOf(label);
    return { site: site.name, label, folder, bytes, milliseconds, continuous: backups.isOwnArchive };
  } catch (error) {
    throw translated(error, site.name, backups.path);
  }
}

function translated(error: unknown, site: string, path: string): unknown {
  const known = [BackupImpossible, OtherDatabase, OtherSegment, NotCopied];
  if (!(error instanceof Error) || !known.some((each) => error instanceof each)) return error;
  return new CommandFailed({
    code: "not-backed-up",
    field: "to",
    value: path,
    message: `${site} was not backed up: ${error.message}`,
    remedy: "give another folder with --to, or mend what is named; the same command may be repeated",
  });
}
