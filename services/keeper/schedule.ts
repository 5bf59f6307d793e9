import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { BackupFolder } from "#platform/backup/backup-folder.ts";
import { makeBackup } from "#platform/backup/base-backup.ts";
import { dueAtMs } from "#platform/backup/retention.ts";
import { firstRetryMs, lookEveryMs, retryMaxMs, type KeeperConfig } from "./config.ts";
import type { Database } from "./store/database.ts";

const hourMs = 3_600_000;

/** Makes a base backup when one is due, and removes what is not needed any more. */
export class BackupSchedule {
  readonly #config: KeeperConfig;
  readonly #database: Database;
  readonly #folder: BackupFolder;
  readonly #log: Log;
  #failures = 0;
  /** What went wrong last, and has not gone well since. */
  readonly #wrong = { backup: "", pruning: "" };

  constructor(config: KeeperConfig, database: Database, folder: BackupFolder, log: Log) {
    this.#config = config;
    this.#database = database;
    this.#folder = folder;
    this.#log = log;
  }

  /** What is wrong with the backups; empty: nothing. */
  get warning(): string {
    const { backup, pruning } = this.#wrong;
    if (backup !== "") return `the last base backup failed: ${backup}`;
    return pruning === "" ? "" : `old backups cannot be removed: ${pruning}`;
  }

  /** @param answers whether the database answers: before that nothing can be backed up */
  async run(answers: () => boolean, signal: AbortSignal): Promise<void> {
    const everyMs = this.#config.BACKUP_EVERY_HOURS * hourMs;
    let isPrepared = false;
    do {
      if (!answers()) continue;
      try {
        isPrepared ||= await this.#prepare();
        const nowMs = Date.now();
        if (nowMs < dueAtMs(await this.#folder.labels(), everyMs, nowMs)) continue;
        await this.#backUp(signal);
        this.#failures = 0;
        this.#wrong.backup = "";
        await this.#prune();
      } catch (error) {
        if (signal.aborted) return;
        this.#failures += 1;
        this.#wrong.backup = messageOf(error);
        const waitMs = retryWaitMs(this.#failures, everyMs);
        const line = { event: "backup-failed", failures: this.#failures, retryMs: waitMs, err: error };
        this.#log.error(line, "a base backup failed");
        // A volume that is full would never be freed by what comes after a backup alone.
        await this.#prune();
        await pause(waitMs, signal);
      }
    } while (await pause(lookEveryMs, signal));
  }

  async #prepare(): Promise<true> {
    const removed = await this.#folder.prepare();
    if (removed.length > 0)
      this.#log.info({ event: "backup-draft-removed", removed }, "half a backup is removed");
    await this.#folder.claim(await this.#database.identifier());
    return true;
  }

  async #backUp(signal: AbortSignal): Promise<void> {
    const beganMs = performance.now();
    const made = await makeBackup({
      address: this.#database.address,
      dataFolder: this.#config.DATA_DIRECTORY,
      into: this.#folder,
      wal: "archived-by-the-server",
      signal,
      onBegun: (label) => this.#log.info({ event: "backup-begun", label }, "a base backup begins"),
    });
    const milliseconds = Math.round(performance.now() - beganMs);
    this.#log.info({ event: "backup-made", ...made, milliseconds }, "a base backup is complete");
  }

  async #prune(): Promise<void> {
    try {
      const pruned = await this.#folder.prune(this.#config.BACKUPS_KEPT);
      this.#wrong.pruning = "";
      if (pruned.backups.length === 0 && pruned.segments === 0) return;
      this.#log.info({ event: "backups-pruned", ...pruned }, "what no kept backup needs is removed");
    } catch (error) {
      this.#wrong.pruning = messageOf(error);
      this.#log.error({ event: "pruning-failed", err: error }, "old backups cannot be removed");
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Twice as long after each failure; soon enough that a backup is not a whole turn late. */
function retryWaitMs(failures: number, everyMs: number): number {
  return Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), retryMaxMs, everyMs / 10);
}
