import pg from "pg";
import { answerWaitMs, type KeeperConfig } from "../config.ts";

/** SQLSTATE `too_many_connections`. */
const tooManyConnections = "53300";

/** What the archiver of the server says of itself. */
export interface Archiver {
  /** The segment that it could not archive since the last that it could; empty: none. */
  readonly failing: string;
}

/** The server beside this process, asked through its Unix socket. */
export class Database {
  /** How it is reached. */
  readonly address: pg.ClientConfig;
  readonly #pool: pg.Pool;

  constructor(config: KeeperConfig) {
    this.address = {
      host: config.DATABASE_SOCKET_DIRECTORY,
      port: config.DATABASE_PORT,
      user: config.DATABASE_USER,
      database: config.DATABASE_NAME,
      application_name: "keeper",
      connectionTimeoutMillis: answerWaitMs,
    };
    this.#pool = new pg.Pool({ ...this.address, max: 2, query_timeout: answerWaitMs });
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
    const client = new pg.Client({ ...this.address, connectionTimeoutMillis: half, query_timeout: half });
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

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
