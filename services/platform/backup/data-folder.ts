/**
 * What of a data folder belongs into a base backup (PostgreSQL 18, 25.3.4
 * "Backing Up the Data Directory").
 */

/** Folders that the server needs, and whose contents it makes anew or takes from the archive. */
const emptied = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);

/** Files of the running server, and of an earlier backup from which this one was restored. */
const leftOut = new Set([
  "backup_label",
  "backup_label.old",
  "backup_manifest",
  "postgresql.auto.conf.tmp",
  "postmaster.opts",
  "postmaster.pid",
  "tablespace_map",
  "tablespace_map.old",
]);

/** Made for one run of the server, wherever they are. */
const temporary = /^(?:pgsql_tmp|pg_internal\.init)/;

/** Copied last of all and with care: the server writes it in place. */
export const controlFile = "global/pg_control";

/** @param path relative to the data folder, with `/` */
export function isEmptied(path: string): boolean {
  return emptied.has(path);
}

/** @param path relative to the data folder, with `/` */
export function isLeftOut(path: string): boolean {
  return leftOut.has(path) || temporary.test(path.slice(path.lastIndexOf("/") + 1));
}
