import pg from "pg";

/** Where a backup ends. */
export interface BackupEnd {
  readonly label: string;
  readonly tablespaceMap: string;
  readonly lastSegment: string;
}

/** What a backup depends on. */
export interface BackedUpServer {
  /** It hands finished WAL to an `archive_command`. */
  readonly archives: boolean;
  readonly segmentBytes: number;
  /** What tells this cluster of databases from every other; `initdb` made it. */
  readonly identifier: string;
}

/** Whoever holds this advisory lock makes a backup ("qbak" in ASCII). */
const backupLock = 0x71_62_61_6b;
const walHolder = "qalqan_backup";

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

  static async open(address: pg.ClientConfig, signal: AbortSignal): Promise<BackupSession> {
    const client = new pg.Client(address);
    const session = new BackupSession(client, signal);
    await client.connect();
    return session;
  }

  /** Waits until this is the only backup of this server, and remains it until the session ends. */
  async untilAlone(): Promise<void> {
    await this.#client.query("select pg_advisory_lock($1)", [backupLock]);
  }

  /** From here on the server keeps all WAL, until the session ends: nobody else archives it. */
  async holdWal(): Promise<void> {
    await this.#client.query(
      "select pg_create_physical_replication_slot($1, immediately_reserve => true, temporary => true)",
      [walHolder],
    );
  }

  /** Settings of the server that a backup depends on. */
  async server(): Promise<BackedUpServer> {
    const { rows } = await this.#client.query<BackedUpServer>(`
      select current_setting('archive_mode') in ('on', 'always') as archives,
        (select setting::int from pg_settings where name = 'wal_segment_size') as "segmentBytes",
        (select system_identifier::text from pg_control_system()) as identifier`);
    const [row] = rows;
    if (row === undefined) throw new Error("the server does not say how it is set");
    return row;
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
