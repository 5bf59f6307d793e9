import { BackupFolder } from "#platform/backup/backup-folder.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { serveProbes, type Readiness } from "#platform/probes.ts";
import type { KeeperConfig } from "./config.ts";
import { RolePassword } from "./password.ts";
import { BackupSchedule } from "./schedule.ts";
import { Database } from "./store/database.ts";
import { DatabaseWatch } from "./watch.ts";

/**
 * Starts the keeper of a PostgreSQL server: it says whether the database may
 * be asked, gives the role its password, and makes base backups. Whatever goes
 * wrong with backups is said, and makes nothing unready.
 */
export async function startKeeper(config: KeeperConfig, log: Log, lifecycle: Lifecycle): Promise<void> {
  const database = lifecycle.use("database", new Database(config), (each) => each.close());
  const watch = new DatabaseWatch(database, log);
  const password = new RolePassword(config, database, log);
  const backups = new BackupSchedule(config, database, new BackupFolder(config.BACKUP_DIRECTORY), log);
  const probes = await serveProbes(config.HTTP_LISTEN, (): Readiness => {
    if (!watch.answers) return { ready: false, why: "the database does not answer" };
    const warnings = [password.lacking, watch.warning, backups.warning].filter((each) => each !== "");
    return {
      ready: password.isSet,
      why: warnings.length === 0 ? "the database answers" : warnings.join("; "),
    };
  });
  lifecycle.use("probes", probes, (server) => server.close());
  lifecycle.run("questions", (signal) => watch.run(signal));
  lifecycle.run("archiver", (signal) => watch.runArchiver(signal));
  lifecycle.run("password", (signal) => password.run(signal));
  lifecycle.run("backups", (signal) => backups.run(() => watch.answers, signal));
}
