import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { postgres } from "#infra/blueprint/parts.ts";
import type { PostgresServer } from "#infra/blueprint/stack.ts";
import { archiveSettings } from "#infra/blueprint/wal-archive.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { initialise, postgresCommand } from "#infra/local/postgres.ts";
import { readiness, Restartable, until } from "#test/replication/servers.ts";

const checkout = join(import.meta.dirname, "..", "..");

/** A PostgreSQL with its keeper, as they are in one pod: a shared socket, data and backups side by side. */
export class KeptDatabase {
  readonly folder: string;
  readonly backups: string;
  readonly postgres: Restartable;
  readonly keeper: Restartable;
  readonly passwordFile: string;
  readonly #ports: Ports;
  readonly #server: PostgresServer;
  readonly #clients: pg.Client[] = [];
  readonly #running: Restartable[] = [];
  #restored = 0;

  private constructor(folder: string, ports: Ports, server: PostgresServer, more: Record<string, string>) {
    this.folder = folder;
    this.backups = join(folder, "backup");
    this.passwordFile = join(folder, "password");
    this.#ports = ports;
    this.#server = server;
    this.postgres = this.#postgresOf(join(folder, "data"), "postgres");
    this.keeper = this.#process("keeper", () => [
      process.execPath,
      [join(checkout, "services/keeper/main.ts")],
      {
        QALQAN_REGION: "capital",
        QALQAN_RELEASE: "test",
        HTTP_LISTEN: ports.address("keeper"),
        DATABASE_SOCKET_DIRECTORY: folder,
        DATABASE_PORT: String(ports.port("postgres")),
        DATABASE_NAME: server.database,
        DATABASE_USER: server.superuser,
        DATABASE_PASSWORD_FILE: this.passwordFile,
        DATA_DIRECTORY: join(folder, "data"),
        BACKUP_DIRECTORY: this.backups,
        ...more,
      },
    ]);
  }

  /** Starts the server; the keeper is started by the test. */
  static async start(more: Record<string, string> = {}): Promise<KeptDatabase> {
    // A socket's path has at most 107 bytes.
    const folder = mkdtempSync(join(tmpdir(), "qalqan-keeper-"));
    const { program } = postgres("capital", { cpuMilli: 1, memoryMebibytes: 1 }, 1);
    if (program.kind !== "postgres") throw new Error("the blueprint's PostgreSQL is another program");
    const ports = new Ports(DataFolder.create(join(folder, "ports")));
    await ports.prepare(["postgres", "keeper", "restored"]);
    const kept = new KeptDatabase(folder, ports, program.server, more);
    writeFileSync(kept.passwordFile, "the-first-password\n");
    await initialise(join(folder, "data"), program.server, kept.passwordFile);
    writeFileSync(
      join(folder, "data", "pg_hba.conf"),
      "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    );
    mkdirSync(join(kept.backups, "wal"), { recursive: true });
    await kept.startPostgres();
    return kept;
  }

  /**
   * Starts the server and waits until it answers. While processes of a killed
   * one are still there the new one refuses to start: it is started again, as a
   * cluster does.
   */
  async startPostgres(): Promise<void> {
    await until(async () => {
      if (!isRunning(this.postgres.pid)) this.postgres.start();
      await this.query("select 1");
      return true;
    });
  }

  /** Asks through the socket. */
  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  async connect(port = this.#ports.port("postgres")): Promise<pg.Client> {
    const { superuser: user, database } = this.#server;
    const client = new pg.Client({ host: this.folder, port, user, database });
    client.on("error", () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** Whether somebody who comes over the network with this password is let in. */
  async letsIn(password: string): Promise<boolean> {
    const { superuser: user, database } = this.#server;
    const port = this.#ports.port("postgres");
    const client = new pg.Client({ host: "127.0.0.1", port, user, database, password });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return true;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === "28P01") return false;
      throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async readiness(): Promise<{ ready: boolean; why: string }> {
    return readiness(this.#ports.address("keeper"));
  }

  /** Events of a kind that the keeper has logged, in order. */
  events(event: string): Record<string, unknown>[] {
    return this.keeperLog()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line["event"] === event);
  }

  keeperLog(): string {
    const file = join(this.folder, "keeper.log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  postgresLog(): string {
    return readFileSync(join(this.folder, "postgres.log"), "utf8");
  }

  /** Names of the complete backups, the oldest first. */
  complete(): string[] {
    return readdirSync(join(this.backups, "base"))
      .filter((name) => /^\d{8}T\d{6}Z$/.test(name))
      .sort();
  }

  wal(): string[] {
    return readdirSync(join(this.backups, "wal")).sort();
  }

  /** Ends the current segment and waits until it is in the archive. */
  async archiveNow(): Promise<void> {
    const [row] = await this.query<{ segment: string }>("select pg_walfile_name(pg_switch_wal()) as segment");
    await until(() => this.wal().includes(row?.segment ?? ""), 60_000);
  }

  /** The data are lost, and a backup takes their place; from then on the server goes on where the archive ends. */
  async restoreInPlace(label: string): Promise<void> {
    const data = join(this.folder, "data");
    rmSync(data, { recursive: true });
    execFileSync("cp", ["-a", join(this.backups, "base", label), data]);
    writeFileSync(join(data, "recovery.signal"), "");
    await this.startPostgres();
    await until(async () => {
      const [row] = await this.query<{ recovers: boolean }>("select pg_is_in_recovery() as recovers");
      return row?.recovers === false;
    }, 60_000);
  }

  /** Restores a backup beside the server, as a person would: copy, say that it is to recover, start. */
  async restore(label: string): Promise<pg.Client> {
    this.#restored += 1;
    const data = join(this.folder, `restored-${this.#restored}`);
    execFileSync("cp", ["-a", join(this.backups, "base", label), data]);
    writeFileSync(join(data, "recovery.signal"), "");
    const more = ["-c", "archive_mode=off", "-c", `port=${this.#ports.port("restored")}`];
    const running = this.#postgresOf(data, `restored-${this.#restored}`, more);
    running.start();
    await until(async () => {
      const client = await this.connect(this.#ports.port("restored"));
      const { rows } = await client.query<{ recovers: boolean }>("select pg_is_in_recovery() as recovers");
      await client.end();
      return rows[0]?.recovers === false;
    }, 60_000);
    return this.connect(this.#ports.port("restored"));
  }

  /** Stops what was restored last. */
  async endRestored(): Promise<void> {
    await this.#running.pop()?.stop("SIGKILL");
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) await client.end().catch(() => undefined);
    for (const each of this.#running.toReversed()) await each.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  #postgresOf(data: string, name: string, more: readonly string[] = []): Restartable {
    return this.#process(name, () => {
      const [file = "", ...parameters] = postgresCommand(data, this.#server, this.#ports.port("postgres"));
      const settings = {
        unix_socket_directories: this.folder,
        ...archiveSettings(this.backups),
      };
      const added = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
      return [file, [...parameters, ...added, ...more], {}];
    });
  }

  #process(
    name: string,
    command: () => readonly [string, readonly string[], Record<string, string>],
  ): Restartable {
    const restartable = new Restartable(() => {
      const [file, parameters, environment] = command();
      const output = openSync(join(this.folder, `${name}.log`), "a");
      const child = spawn(file, parameters, {
        env: { PATH: process.env["PATH"] ?? "", ...environment },
        stdio: ["ignore", output, output],
      });
      closeSync(output);
      return child;
    });
    this.#running.push(restartable);
    return restartable;
  }
}

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}
