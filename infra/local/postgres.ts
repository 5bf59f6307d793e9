import { execFile } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import type { PostgresServer } from "../blueprint/stack.ts";
import { findOnPath, findTool } from "../toolchain/tools.ts";
import { LocalRunError } from "./errors.ts";
import { loopback } from "./ports.ts";

const connectWaitMs = 2_000;
const databaseMissing = "3D000";
const databaseExists = "42P04";

/**
 * PostgreSQL refuses to run as root: there it gets a user namespace in which
 * it is somebody else, and in which the files are its own.
 */
function asOrdinaryUser(command: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return command;
  const unshare = findOnPath("unshare");
  if (unshare === undefined) {
    throw new LocalRunError({
      code: "tool-missing",
      field: "unshare",
      value: "",
      message:
        "PostgreSQL does not run as root, and unshare, which makes it an ordinary user, is not on the path",
      remedy: "apt-get install -y util-linux, or start as an ordinary user",
    });
  }
  return [unshare, "-U", "--map-user=1000", "--map-group=1000", ...command];
}

/** Initialises the data folder of a server, unless that was done. */
export async function initialise(
  folder: string,
  server: PostgresServer,
  passwordFile: string,
): Promise<void> {
  if (existsSync(join(folder, "PG_VERSION"))) return;
  // Under another name until it is complete: an interrupted initdb is not taken for a database.
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  const [file = "", ...parameters] = asOrdinaryUser([
    findTool("initdb"),
    `--pgdata=${draft}`,
    `--username=${server.superuser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--no-locale",
    "--encoding=UTF8",
    "--no-instructions",
  ]);
  await promisify(execFile)(file, parameters);
  renameSync(draft, folder);
}

/** Command that runs the server. */
export function postgresCommand(folder: string, server: PostgresServer, port: number): readonly string[] {
  const settings = {
    ...server.settings,
    listen_addresses: loopback,
    port: String(port),
    unix_socket_directories: "",
  };
  return asOrdinaryUser([
    findTool("postgres"),
    "-D",
    folder,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
}

/** Asks `select 1`; makes the database itself when the server does not have it yet. Throws while it is not ready. */
export async function askDatabase(server: PostgresServer, port: number, password: string): Promise<void> {
  const query = async (database: string, sql: string) => {
    const client = new pg.Client({
      host: loopback,
      port,
      user: server.superuser,
      password,
      database,
      connectionTimeoutMillis: connectWaitMs,
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query(sql);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  try {
    await query(server.database, "select 1");
  } catch (error) {
    if (!isDatabaseError(error, databaseMissing)) throw error;
    try {
      await query("postgres", `create database "${server.database}"`);
    } catch (creation) {
      if (!isDatabaseError(creation, databaseExists)) throw creation;
    }
  }
}

function isDatabaseError(error: unknown, code: string): boolean {
  return error instanceof pg.DatabaseError && error.code === code;
}
