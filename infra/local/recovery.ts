import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { PostgresServer } from "../blueprint/stack.ts";
import { archiveSettings, restoreCommand } from "../blueprint/wal-archive.ts";
import { LocalRunError } from "./errors.ts";
import { postgresCommand, run } from "./postgres.ts";
import { diesWithRunner } from "./supervised-process.ts";

const askIntervalMs = 50;
/** Name of the socket's file alone: nobody listens on it. */
const socketPort = 5432;
const logLinesKept = 30;

/** A database that is to be made again from a base backup and archived WAL. */
export interface RecoveryOrder {
  /** The server's data folder (PGDATA) to be. */
  readonly storage: string;
  readonly server: PostgresServer;
  /** What the role's password is from then on. */
  readonly password: string;
  /** Folder of the base backup. */
  readonly base: string;
  /** Folders of backups that are searched for WAL, in this order. */
  readonly walIn: readonly string[];
  /** The one of them that the history which begins here is archived to. */
  readonly archive: string;
  /** No transaction that was committed later is taken in; all when absent. */
  readonly until?: Date | undefined;
  /** Which history is followed after an earlier restore: the latest when absent. */
  readonly timeline?: number | undefined;
  readonly logFile: string;
  /** Told the name of each WAL segment that is replayed. */
  readonly onSegment?: (segment: string) => void;
}

export interface Recovered {
  /** When the last transaction that it has was committed; undefined: none is younger than the base backup. */
  readonly lastCommit: Date | undefined;
  /** The history that it goes on with. */
  readonly timeline: number;
  readonly segments: number;
}

/** The moment that was asked for lies before the end of the base backup: an older one is needed. */
export class BackupTooNew extends Error {
  override readonly name = "BackupTooNew";
}

const restoredName = (storage: string): string => `${storage}.restored`;

/**
 * Recovers a database beside the place where it belongs: the server that is
 * there is not touched, whatever happens. `takeRestored` puts it in its place.
 *
 * The recovery archives too: the next one must know of the history that begins
 * here, or it would begin another of the same name.
 *
 * @throws BackupTooNew; LocalRunError `not-restorable`
 */
export async function recoverDatabase(order: RecoveryOrder): Promise<Recovered> {
  const draft = `${restoredName(order.storage)}.new`;
  const restored = restoredName(order.storage);
  for (const folder of [draft, restored]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [dirname(draft), join(order.archive, "wal")])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  await run(["cp", "-a", "--reflink=auto", order.base, draft]);
  writeFileSync(join(draft, "recovery.signal"), "", { mode: 0o600 });
  // A socket's path has at most 107 bytes.
  const sockets = mkdtempSync(join(tmpdir(), "qalqan-recovery-"));
  try {
    writeFileSync(join(sockets, "access.conf"), "local all all trust\n");
    const recovered = await new Recovery(order, draft, sockets).run();
    renameSync(draft, restored);
    return recovered;
  } finally {
    rmSync(sockets, { recursive: true, force: true });
  }
}

/** Puts a database that was recovered in its place; harmless when repeated. */
export function takeRestored(storage: string): void {
  const restored = restoredName(storage);
  if (!existsSync(storage) && existsSync(restored)) renameSync(restored, storage);
}

class Recovery {
  readonly #order: RecoveryOrder;
  readonly #sockets: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lastLines: string[] = [];
  #segments = 0;

  constructor(order: RecoveryOrder, draft: string, sockets: string) {
    this.#order = order;
    this.#sockets = sockets;
    const settings = {
      ...archiveSettings(order.archive),
      restore_command: restoreCommand(order.walIn),
      unix_socket_directories: sockets,
      listen_addresses: "",
      hba_file: join(sockets, "access.conf"),
      // Whoever is let in finds a database that is whole.
      hot_standby: "off",
      recovery_target_timeline: order.timeline === undefined ? "latest" : String(order.timeline),
      recovery_target_action: "promote",
      // Said also where all of it is wanted: the backup may hold what an earlier restore was told.
      recovery_target_time: order.until?.toISOString().replace("Z", "+00") ?? "",
    };
    const [file = "", ...parameters] = diesWithRunner(
      postgresCommand(draft, order.server, socketPort, settings),
      "SIGINT",
    );
    this.#child = spawn(file, parameters, {
      cwd: dirname(draft),
      env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#ended = once(this.#child, "close");
    // Heard of where it is awaited.
    this.#ended.catch(() => undefined);
    this.#readLog();
  }

  async run(): Promise<Recovered> {
    try {
      const client = await this.#untilPromoted();
      try {
        return await this.#finish(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    } finally {
      // Fast shutdown: what it wrote is archived before it ends.
      this.#child.kill("SIGINT");
      await this.#ended.catch(() => undefined);
    }
  }

  #readLog(): void {
    if (this.#child.stderr === null) return;
    const log = createWriteStream(this.#order.logFile, { flags: "a", mode: 0o600 });
    createInterface(this.#child.stderr)
      .on("line", (line) => {
        log.write(`${line}\n`);
        this.#lastLines.push(line);
        if (this.#lastLines.length > logLinesKept) this.#lastLines.shift();
        const [, segment] = /restored log file "([0-9A-F]{24})"/.exec(line) ?? [];
        if (segment === undefined) return;
        this.#segments += 1;
        this.#order.onSegment?.(segment);
      })
      .on("close", () => log.end());
  }

  async #untilPromoted(): Promise<pg.Client> {
    const { superuser: user, database } = this.#order.server;
    for (;;) {
      const client = new pg.Client({ host: this.#sockets, port: socketPort, user, database });
      client.on("error", () => undefined);
      try {
        await client.connect();
        return client;
      } catch {
        await client.end().catch(() => undefined);
      }
      const hasEnded = await Promise.race([this.#ended.then(() => true), sleep(askIntervalMs, false)]);
      if (hasEnded) throw this.#failure();
    }
  }

  async #finish(client: pg.Client): Promise<Recovered> {
    const { superuser } = this.#order.server;
    // That of the backup may be an older one.
    await client.query(
      `alter role ${pg.escapeIdentifier(superuser)} with login password ${pg.escapeLiteral(this.#order.password)}`,
    );
    const { rows } = await client.query<{ lastCommit: Date | null; timeline: number }>(`
      select pg_last_xact_replay_timestamp() as "lastCommit",
        ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline`);
    const [row] = rows;
    return {
      lastCommit: row?.lastCommit ?? undefined,
      timeline: row?.timeline ?? 0,
      segments: this.#segments,
    };
  }

  #failure(): Error {
    const words = this.#lastLines.join("\n");
    if (words.includes("before consistent recovery point")) {
      return new BackupTooNew(`the base backup ${basename(this.#order.base)} ended later than was asked for`);
    }
    const reached = /last completed transaction was at log time (.+)/.exec(words)?.[1];
    if (words.includes("recovery ended before configured recovery target was reached")) {
      return notRestorable(
        this.#order,
        `the archived WAL does not reach ${this.#order.until?.toISOString() ?? ""}` +
          (reached === undefined ? "" : `: its last transaction is of ${reached}`),
        "name an earlier moment with --until, or none: then everything that was archived comes back",
      );
    }
    const fatal =
      this.#lastLines.findLast((line) => /FATAL|PANIC/.test(line)) ?? this.#lastLines.at(-1) ?? "";
    return notRestorable(this.#order, `the recovery failed: ${fatal}`, `see ${this.#order.logFile}`);
  }
}

function notRestorable(order: RecoveryOrder, message: string, remedy: string): LocalRunError {
  return new LocalRunError({
    code: "not-restorable",
    field: "from",
    value: order.walIn[0] ?? "",
    message,
    remedy,
  });
}
