import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { openDatabase } from "#platform/database.ts";
import { password, startPostgres } from "#test/coordination/capital-processes.ts";
import { testLog } from "#test/replication/servers.ts";
import { migrations } from "../../services/centre/store/migrations.ts";
import type { CentreDatabase } from "../../services/centre/store/schema.ts";

/** A centre's database in a PostgreSQL of its own, without a centre. */
export async function startCentreDatabase(): Promise<{
  readonly database: CentreDatabase;
  readonly stop: () => Promise<void>;
}> {
  const folder = DataFolder.create(mkdtempSync(join(tmpdir(), "qalqan-test-")));
  const ports = new Ports(folder);
  await ports.prepare(["postgres"]);
  const postgres = await startPostgres(folder, ports);
  const config = {
    DATABASE_URL: `postgres://qalqan@${ports.address("postgres")}/qalqan`,
    DATABASE_PASSWORD_FILE: password,
  };
  const { signal } = new AbortController();
  const database: CentreDatabase = await openDatabase(config, migrations, testLog, signal);
  const stop = async () => {
    await database.destroy();
    await postgres.stop("SIGKILL");
    rmSync(folder.root, { recursive: true, force: true });
  };
  return { database, stop };
}
