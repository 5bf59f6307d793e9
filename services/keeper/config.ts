import { z } from "zod";
import { serviceEnvironment } from "#platform/config.ts";

const folder = (what: string) => z.string().startsWith("/", `expected the absolute path of ${what}`);

/** What the keeper of a PostgreSQL server is told. */
export const keeperEnvironment = serviceEnvironment
  .pick({ QALQAN_REGION: true, QALQAN_RELEASE: true, LOG_LEVEL: true, HTTP_LISTEN: true })
  .extend({
    /** Folder of the server's Unix socket, through which whoever is in the pod is trusted. */
    DATABASE_SOCKET_DIRECTORY: folder("the folder of PostgreSQL's Unix socket"),
    /** Part of the socket's name. */
    DATABASE_PORT: z.coerce.number().int().min(1).max(65_535).default(5_432),
    DATABASE_NAME: z.string().min(1, "expected the name of the database"),
    DATABASE_USER: z.string().min(1, "expected the name of the role, a superuser"),
    /** The truth for the role's password; read again when it changes. */
    DATABASE_PASSWORD_FILE: folder("the file with the role's password"),
    /** The server's own folder (PGDATA); it is only read. */
    DATA_DIRECTORY: folder("PostgreSQL's data folder"),
    /** Base backups go to `base/<label>`, and `archive_command` copies WAL to `wal`. */
    BACKUP_DIRECTORY: folder("the folder for backups"),
    BACKUP_EVERY_HOURS: z.coerce.number().positive().max(168, "expected a week at most, 168").default(24),
    BACKUPS_KEPT: z.coerce.number().int().min(1).max(100).default(7),
  });

export type KeeperConfig = z.output<typeof keeperEnvironment>;

/** How often the database is asked whether it answers, and the password file whether it is another (ms). */
export const lookEveryMs = 1_000;
/** The database counts as answering when `select 1` comes back within this time (ms). */
export const answerWaitMs = 2_000;
/** A setting or a password that could not be asked for or set is tried again after (ms). */
export const retryMs = 500;
/** How often the archiver is looked at (ms). */
export const archiverLookMs = 10_000;
/** A backup that failed is made again after this time at most, and after twice as long each further time (ms). */
export const firstRetryMs = 60_000;
export const retryMaxMs = 3_600_000;
