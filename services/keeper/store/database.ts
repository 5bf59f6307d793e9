import pg from "pg";
import { answerWaitMs, type KeeperConfig } from "../config.ts";

/** SQLSTATE `too_many_connections`. */
const tooManyConnections = "53300";

/** What the archiver of the server says of itself. */
export interface Archiver {
  /** The segment that it could not archive since the last that it could; empty: none. */
  readonly failing: string;
}

/** Where a backup ends. */
export interface BackupEnd {
  readonly label: string;
  readonly tablespaceMap: string;
  readonly lastSegment: string;
}

/** The server beside this process, asked through its Unix socket. */
export class Database {
  readonly #address: pg.ClientConfig;
  readonly #pool: pg.Pool;

  constructor(config: KeeperConfig) {
    this.#address = {
      host: config.DATABASE_SOCKET_DIRECTORY,
      port: config.DATABASE_PORT,
      user: config.DATABASE_USER,
      database: config.DATABASE_NAME,
      application_name: "keeper",
      connectionTimeoutMillis: answerWaitMs,
    };
    this.#pool = new pg.Pool({ ...this.#address, max: 2, query_timeout: answerWaitMs });
    // A connection that dies while idle is replaced at its next use.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /**
   * Asks as a client that has just come: a session that is open already may go
   * on where no new one is let in.
   *
   * @throws while the server does not answer within 2 s
   */
  async ask(): Promise<void> {
    const half = answerWaitMs / 2;
    const client = new pg.Client({ ...this.#address, connectionTimeoutMillis: half, query_timeout: half });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query("select 1");
    } catch (error) {
      // Full is not away: those who are in are served.
      if (!(error instanceof pg.DatabaseError && error.code === tooManyConnections)) throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** What the server keeps in place of the role's password; empty: nothing. */
  async passwordSecret(role: string): Promise<string> {
    const { rows } = await this.#pool.query<{ secret: string | null }>(
      "select rolpassword as secret from pg_authid where rolname = $1",
      [role],
    );
    return rows[0]?.secret ?? "";
  }

  async setPasswordSecret(role: string, secret: string): Promise<void> {
    await this.#pool.query(
      `alter role ${pg.escapeIdentifier(role)} with login password ${pg.escapeLiteral(secret)}`,
    );
  }

  /** What tells this cluster of databases from every other; `initdb` made it. */
  async identifier(): Promise<string> {
    const { rows } = await this.#pool.query<{ identifier: string }>(
      "select system_identifier::text as identifier from pg_control_system()",
    );
    const [row] = rows;
    if (row === undefined) throw new Error("the server does not say what it is");
    return row.identifier;
  }

  async archiver(): Promise<Archiver> {
    const { rows } = await this.#pool.query<{ failing: string }>(`
      select case when last_failed_time > coalesce(last_archived_time, '-infinity') then last_failed_wal else '' end
        as failing
      from pg_stat_archiver`);
    return { failing: rows[0]?.failing ?? "" };
  }

  /** A session of its own for one backup: what it began ends with it. */
  async openBackup(signal: AbortSignal): Promise<BackupSession> {
    const client = new pg.Client(this.#address);
    const session = new BackupSession(client, signal);
    await client.connect();
    return session;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Between `begin` and `end` the files of the data folder may be copied while the server writes to them. */
export class BackupSession {
  readonly #client: pg.Client;
  readonly #abort = new AbortController();
  /** Aborted with the signal, and when the server has ended the session: then the copy is worth nothing. */
  readonly signal: AbortSignal;

  constructor(client: pg.Client, signal: AbortSignal) {
    this.#client = client;
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
    const lost = () => this.#abort.abort(new Error("the session of the backup was lost"));
    client.on("error", lost);
    client.on("end", lost);
    this.signal.addEventListener("abort", () => void client.end().catch(() => undefined), { once: true });
  }

  /** Settings of the server that a backup depends on. */
  async server(): Promise<{ archives: boolean; segmentBytes: number }> {
    const { rows } = await this.#client.query<{ archives: boolean; bytes: string }>(`
      select current_setting('archive_mode') in ('on', 'always') as archives,
        (select setting from pg_settings where name = 'wal_segment_size') as bytes`);
    const [row] = rows;
    if (row === undefined) throw new Error("the server does not say how it is set");
    return { archives: row.archives, segmentBytes: Number(row.bytes) };
  }

  async begin(label: string): Promise<void> {
    await this.#client.query("select pg_backup_start($1, fast => true)", [label]);
  }

  async end(): Promise<BackupEnd> {
    // The archive is looked at by ourselves: the server would wait for it without end.
    const { rows } = await this.#client.query<BackupEnd>(`
      select labelfile as label, coalesce(spcmapfile, '') as "tablespaceMap",
        pg_walfile_name(lsn - 1) as "lastSegment"
      from pg_backup_stop(wait_for_archive => false)`);
    const [row] = rows;
    if (row === undefined) throw new Error("pg_backup_stop returned nothing");
    return row;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}
