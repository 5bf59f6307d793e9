import { spawn } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import type { NatsServer, PostgresServer } from "#infra/blueprint/stack.ts";
import type { DataFolder } from "#infra/local/data-folder.ts";
import type { Ports } from "#infra/local/ports.ts";
import { askDatabase, initialise, postgresCommand } from "#infra/local/postgres.ts";
import { Restartable, until } from "#test/replication/servers.ts";

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
