/**
 * Settings of PostgreSQL by which its WAL is archived, so that a base backup can
 * be restored to any moment since.
 *
 * @param folder of the site's backups
 */
export function archiveSettings(folder: string): Readonly<Record<string, string>> {
  return {
    wal_level: "replica",
    archive_mode: "on",
    archive_timeout: "5min",
    archive_command: archiveCommand(folder),
    // Read when a base backup is put in place together with a file recovery.signal, and never else.
    restore_command: restoreCommand([folder]),
  };
}

/** Fetches a file of the WAL from the first of these folders of backups that has it. */
export function restoreCommand(folders: readonly string[]): string {
  return folders.map((folder) => `cp ${shellWord(`${folder}/wal`)}/%f %p`).join(" || ");
}

/**
 * Copies a finished segment into the archive. Never over another one; a segment
 * that a crash made PostgreSQL offer twice is taken as archived, once its name
 * is on the disk too (documentation of PostgreSQL 18, 25.3.1).
 */
export function archiveCommand(folder: string): string {
  const wal = shellWord(`${folder}/wal`);
  const target = `${wal}/%f`;
  const copy = `cp %p ${target}.new && sync ${target}.new && mv ${target}.new ${target}`;
  return `if test -e ${target}; then cmp -s %p ${target}; else ${copy}; fi && sync ${target} ${wal}`;
}

/** Quoted where the shell, or PostgreSQL with its `%`, would read something else. */
function shellWord(path: string): string {
  const text = path.replaceAll("%", "%%");
  return /^[\w./%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
