import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import pg from "pg";
import type { PostgresServer } from "../blueprint/stack.ts";
import { findOnPath, findTool, postgresTemplateFolder } from "../toolchain/tools.ts";
import { LocalRunError } from "./errors.ts";
import { loopback } from "./ports.ts";

const connectWaitMs = 2_000;
/** Of WAL: many small servers on one machine, each archiving a segment every few minutes, fill no disk with them (16 by default). */
const segmentMebibytes = 1;

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

/**
 * Initialises the data folder of a server, unless that was done: a copy of a
 * template (0.15 s, where `initdb` takes 0.6 s and `create database` 0.1 s)
 * with a password of its own.
 */
export async function initialise(
  folder: string,
  server: PostgresServer,
  passwordFile: string,
): Promise<void> {
  if (existsSync(join(folder, "PG_VERSION"))) return;
  // Under another name until it is complete: an interrupted copy is not taken for a database.
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  await run(["cp", "-a", "--reflink=auto", await template(server), draft]);
  const password = readFileSync(passwordFile, "utf8").trim();
  await runStatement(draft, `alter role "${server.superuser}" password '${password}'`);
  await run(asOrdinaryUser([findTool("initdb"), "--sync-only", `--pgdata=${draft}`]));
  renameSync(draft, folder);
}

const templates = new Map<string, Promise<string>>();

/** A freshly initialised data folder in the cache, made once for each version of PostgreSQL. */
function template(server: PostgresServer): Promise<string> {
  const folder = postgresTemplateFolder(`${server.superuser}-${server.database}-${segmentMebibytes}`);
  const known = templates.get(folder);
  if (known !== undefined) return known;
  const made = makeTemplate(folder, server).catch((error: unknown) => {
    templates.delete(folder);
    throw error;
  });
  templates.set(folder, made);
  return made;
}

async function makeTemplate(folder: string, server: PostgresServer): Promise<string> {
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const place = mkdtempSync(`${folder}-`);
  try {
    const draft = join(place, "data");
    // Nobody knows this password: every copy gets its own.
    const passwordFile = join(place, "password");
    writeFileSync(passwordFile, randomBytes(24).toString("hex"), { mode: 0o600 });
    await run(
      asOrdinaryUser([
        findTool("initdb"),
        `--pgdata=${draft}`,
        `--username=${server.superuser}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--no-locale",
        "--encoding=UTF8",
        "--no-instructions",
        `--wal-segsize=${segmentMebibytes}`,
      ]),
    );
    await runStatement(draft, `create database "${server.database}"`);
    // Renaming onto a folder that is not empty fails: then another process was first, and its template is as good.
    await rename(draft, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Runs one statement in a data folder that no server has open. */
function runStatement(folder: string, statement: string): Promise<void> {
  const command = [findTool("postgres"), "--single", "-D", folder, "-c", "exit_on_error=on", "postgres"];
  return run(asOrdinaryUser(command), `${statement};\n`);
}

/** Runs a command to its end; throws with its last words when it fails. */
export async function run([file = "", ...parameters]: readonly string[], input = ""): Promise<void> {
  const child = spawn(file, parameters, { stdio: ["pipe", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words = (words + chunk.toString()).slice(-1_000)));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${basename(file)} ${parameters[0] ?? ""} failed: ${words.trim()}`);
}

/** Command that runs the server. @param more settings of `postgresql.conf`, which go before all others */
export function postgresCommand(
  folder: string,
  server: PostgresServer,
  port: number,
  more: Readonly<Record<string, string>> = {},
): readonly string[] {
  const settings = {
    ...server.settings,
    listen_addresses: loopback,
    port: String(port),
    unix_socket_directories: "",
    ...more,
  };
  return asOrdinaryUser([
    findTool("postgres"),
    "-D",
    folder,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
}

/** Asks `select 1`; throws while the server is not ready. */
export async function askDatabase(server: PostgresServer, port: number, password: string): Promise<void> {
  const client = new pg.Client({
    host: loopback,
    port,
    user: server.superuser,
    password,
    database: server.database,
    connectionTimeoutMillis: connectWaitMs,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
  } finally {
    await client.end().catch(() => undefined);
  }
}
