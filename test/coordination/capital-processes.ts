import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import type { NatsServer, PostgresServer } from "#infra/blueprint/stack.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { askDatabase, initialise, postgresCommand } from "#infra/local/postgres.ts";
import { openDatabase, type Kysely, type Migration } from "#platform/database.ts";
import { Restartable, testLog, until } from "#test/replication/servers.ts";

/** Of the capital's PostgreSQL in a test. */
export const password = "test-password";

export async function startPostgres(folder: DataFolder, ports: Ports): Promise<Restartable> {
  const { postgres } = programs();
  writeFileSync(join(folder.root, "password"), password);
  const storage = join(folder.root, "database");
  await initialise(storage, postgres, join(folder.root, "password"));
  const port = ports.port("postgres");
  const [file = "", ...parameters] = postgresCommand(storage, postgres, port);
  const running = new Restartable(() => runLogged(folder, "postgres", file, parameters), true);
  running.start();
  await until(async () => {
    await askDatabase(postgres, port, password);
    return true;
  });
  return running;
}

/** A server of its own with an empty database, and the folder that both are in. */
export class EmptyDatabase<Schema> {
  readonly postgres: Restartable;
  readonly database: Kysely<Schema>;
  readonly #folder: DataFolder;

  private constructor(folder: DataFolder, postgres: Restartable, database: Kysely<Schema>) {
    this.#folder = folder;
    this.postgres = postgres;
    this.database = database;
  }

  static async open<Schema>(migrations: Readonly<Record<string, Migration>>): Promise<EmptyDatabase<Schema>> {
    const folder = DataFolder.create(mkdtempSync(join(tmpdir(), "qalqan-test-")));
    const ports = new Ports(folder);
    await ports.prepare(["postgres"]);
    const postgres = await startPostgres(folder, ports);
    const config = {
      DATABASE_URL: `postgres://qalqan@${ports.address("postgres")}/qalqan`,
      DATABASE_PASSWORD_FILE: password,
    };
    const { signal } = new AbortController();
    return new EmptyDatabase(
      folder,
      postgres,
      await openDatabase<Schema>(config, migrations, testLog, signal),
    );
  }

  async close(): Promise<void> {
    await this.database.destroy();
    await this.postgres.stop("SIGKILL");
    rmSync(this.#folder.root, { recursive: true, force: true });
  }
}

export function programs(): { nats: NatsServer; postgres: PostgresServer } {
  const all = capitalStack().workloads.map(({ program }) => program);
  const nats = all.find((program) => program.kind === "nats");
  const postgres = all.find((program) => program.kind === "postgres");
  if (nats === undefined || postgres === undefined) throw new Error("the capital's blueprint lacks a server");
  return { nats: nats.server, postgres: postgres.server };
}

export function runLogged(
  folder: DataFolder,
  name: string,
  file: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
) {
  // The file is handed over: it takes what the process and its children say until the last of them ends.
  const output = openSync(join(folder.logs, `${name}.log`), "a");
  const child = spawn(file, parameters, {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  return child;
}
