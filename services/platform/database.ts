import { Kysely, Migrator, PostgresDialect, sql, type Migration, type Transaction } from "kysely";
import pg from "pg";
import { pause } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import { planEachTime, preparing } from "./prepared-statements.ts";

/** bigint columns hold counters and milliseconds, far below 2^53. */
const bigintOid = 20;
pg.types.setTypeParser(bigintOid, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`a bigint beyond 2^53: ${text}`);
  return value;
});

const connectionsMax = 8;
const connectWaitMs = 3_000;
const statementWaitMs = 30_000;
/** A server that does not even end a statement in time is taken for gone. */
const answerWaitMs = 40_000;
/** A transaction whose process stands still holds its locks for so long at most. */
const idleTransactionMs = 60_000;

/**
 * A client whose machine is gone is noticed by the server within 5 + 3 × 2 s:
 * until then its session keeps the lock, and by itself that would be hours.
 */
const goneAfterSeconds = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3";

export interface DatabaseConfig {
  readonly DATABASE_URL: string;
  readonly DATABASE_PASSWORD_FILE: string;
}

/** The address with its password: beside a connection string the client ignores a password of its own. */
function connectionString(config: DatabaseConfig): string {
  const url = new URL(config.DATABASE_URL);
  url.password = config.DATABASE_PASSWORD_FILE;
  return url.href;
}

/**
 * Opens the service's database and brings its schema up to date, waiting until
 * PostgreSQL answers.
 *
 * @param migrations by name; they run in the order of their names, each once
 */
export async function openDatabase<Schema>(
  config: DatabaseConfig,
  migrations: Readonly<Record<string, Migration>>,
  log: Log,
  signal: AbortSignal,
): Promise<Kysely<Schema>> {
  const pool = new pg.Pool({
    connectionString: connectionString(config),
    max: connectionsMax,
    connectionTimeoutMillis: connectWaitMs,
    statement_timeout: statementWaitMs,
    query_timeout: answerWaitMs,
    idle_in_transaction_session_timeout: idleTransactionMs,
    // Statements that are sent together cost one round trip (transact).
    pipeline: true,
    // Kept: a new one costs a process, a handshake and its caches, and would be opened for what is urgent.
    idleTimeoutMillis: 0,
    keepAlive: true,
    options: `${planEachTime} ${goneAfterSeconds}`,
  });
  // A connection that dies while idle is replaced at its next use.
  pool.on("error", (error) => log.warn({ err: error }, "an idle database connection was lost"));
  // One that dies between two statements of a transaction says so by an event of its own, and by
  // the failure of the next statement; without a listener the event would end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  const database = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: preparing(pool) }) });
  await untilItAnswers(database, log, signal);
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => ({ ...migrations }) },
  });
  const { error, results } = await migrator.migrateToLatest();
  for (const result of results ?? [])
    log.info({ migration: result.migrationName, status: result.status }, "migrated");
  if (error !== undefined) throw new Error("the schema could not be brought up to date", { cause: error });
  return database;
}

async function untilItAnswers<Schema>(
  database: Kysely<Schema>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await sql`select 1`.execute(database);
      return;
    } catch (error) {
      log.info({ reason: String(error) }, "waiting for the database");
      if (!(await pause(200, signal))) throw signal.reason;
    }
  }
}

/**
 * Waits for a session-level advisory lock on a connection of its own: whoever
 * has it leads. The promise resolves when we lead; `lost` resolves when the
 * connection (and with it the lock) is gone.
 *
 * @param address under which the others reach this process while it leads ({@link leaderAddress})
 */
export async function lead(
  config: DatabaseConfig,
  lockKey: number,
  address: string,
  signal: AbortSignal,
): Promise<{ lost: Promise<void>; release: () => Promise<void> }> {
  for (;;) {
    const client = new pg.Client({
      connectionString: connectionString(config),
      connectionTimeoutMillis: connectWaitMs,
      keepAlive: true,
      application_name: address,
      options: goneAfterSeconds,
    });
    const lost = new Promise<void>((resolve) => {
      client.on("error", () => resolve());
      client.on("end", () => resolve());
    });
    try {
      await client.connect();
      for (;;) {
        const { rows } = await client.query<{ locked: boolean }>(
          "select pg_try_advisory_lock($1) as locked",
          [lockKey],
        );
        if (rows[0]?.locked === true) return { lost, release: () => client.end() };
        if (!(await pause(500, signal))) throw signal.reason;
      }
    } catch (error) {
      await client.end().catch(() => undefined);
      if (signal.aborted) throw error;
      await pause(500, signal);
    }
  }
}

/**
 * Address of the process that has the lock, as it gave it to {@link lead};
 * undefined while nobody has. It is the name of the very session that has the
 * lock, so it is never that of a former leader.
 */
export async function leaderAddress(database: Kysely<unknown>, lockKey: number): Promise<string | undefined> {
  const { rows } = await sql<{ address: string }>`
    select activity.application_name as address
    from pg_locks held join pg_stat_activity activity on activity.pid = held.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 1
      and held.database = (select oid from pg_database where datname = current_database())
      and (held.classid::bigint << 32) + held.objid::bigint = ${lockKey}
  `.execute(database);
  return rows[0]?.address;
}

export type { Kysely, Migration, Transaction };
export { sql };
