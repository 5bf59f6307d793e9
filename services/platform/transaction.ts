import { setImmediate as turn } from "node:timers/promises";
import {
  CompiledQuery,
  PostgresDialect,
  Transaction,
  type DatabaseConnection,
  type Kysely,
  type QueryResult,
} from "kysely";

/** What a transaction is made of beside its connection, and never uses: it opens none and begins none. */
const dialect = new PostgresDialect({
  pool: () => Promise.reject(new Error("a transaction has its one connection")),
});
const unused = { config: { dialect }, dialect, driver: dialect.createDriver() };

/**
 * PostgreSQL's answers to every statement that was sent after one that failed: in_failed_sql_transaction, and
 * invalid_sql_statement_name where it was to be known by a name and was not read any more.
 */
const sentAfterAFailure: readonly unknown[] = ["25P02", "26000"];

/**
 * When PostgreSQL plans a statement that it knows by a name. `each-time`: for
 * what it is asked with. `once`: for a connection, and by index wherever one
 * can serve, since the tables may be empty at that moment and have a million
 * rows at the next: for the few statements of a command or a step, whose
 * planning takes longer than they do.
 */
export type Planning = "each-time" | "once";

const beginnings: Readonly<Record<Planning, string>> = {
  "each-time": "begin",
  once: "begin; set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off",
};

/** The connection was lost while a transaction was being committed: whether it was, nobody can say. */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
}

/**
 * The statements that are sent in this turn of the event loop are the last: the
 * commit follows them at once, not after their answers, which is a round trip
 * less. What is to keep them from being committed must fail in PostgreSQL, and
 * undoes them all; a statement that is sent later fails.
 */
export type CommitsNow = () => void;

/**
 * Runs one transaction whose statements need not wait for each other: those
 * that are sent together (`Promise.all`) are carried out in the order in which
 * they were sent, and cost one round trip in all. Kysely's own answers each
 * before it sends the next, and a busy machine makes every round trip long.
 *
 * When one fails, or `work` throws before the commit was sent, nothing was
 * written; what is thrown is why the first one failed, also where `work` heard
 * of a later one before.
 *
 * @throws OutcomeUnknown when the connection was lost before the commit was answered
 */
export async function transact<Schema, Result>(
  database: Kysely<Schema>,
  work: (transaction: Transaction<Schema>, commitsNow: CommitsNow) => Promise<Result>,
  planning: Planning = "each-time",
): Promise<Result> {
  return database.getExecutor().provideConnection(async (connection) => {
    const send = (text: string) => connection.executeQuery(CompiledQuery.raw(text));
    const commit = () => send("commit").catch((cause: unknown) => Promise.reject(unknownOutcome(cause)));
    const failures: unknown[] = [];
    let isOver = false;
    let hasFailed = false;
    let committing: Promise<unknown> | undefined;
    const commitsNow = () => {
      committing ??= turn().then(() => {
        isOver = true;
        // A statement that could not even be sent has failed by now.
        return hasFailed ? send("rollback") : commit();
      });
      // It is awaited after the statements, perhaps after it has failed.
      committing.catch(() => undefined);
    };
    const noted: DatabaseConnection = {
      async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
        if (isOver) throw new Error(`sent after the commit: ${query.sql}`);
        try {
          return await connection.executeQuery<Row>(query);
        } catch (error) {
          failures.push(error);
          throw error;
        }
      },
      streamQuery: <Row>(query: CompiledQuery, size?: number) => connection.streamQuery<Row>(query, size),
    };
    const begun = send(beginnings[planning]);
    try {
      const working = work(boundTo(database, noted), commitsNow);
      working.catch(() => (hasFailed = true));
      const [result] = await Promise.all([working, begun]);
      await (committing ?? commit());
      return result;
    } catch (error) {
      // Whatever else the work still sends would no longer be part of it.
      isOver = true;
      if (error instanceof OutcomeUnknown) throw error;
      // Sent behind a statement that failed, a commit undoes all.
      await (committing ?? send("rollback"));
      throw isSentAfterAFailure(error)
        ? (failures.find((each) => !isSentAfterAFailure(each)) ?? error)
        : error;
    }
  });
}

function unknownOutcome(cause: unknown): OutcomeUnknown {
  return new OutcomeUnknown("the connection was lost while a transaction was being committed", { cause });
}

function isSentAfterAFailure(error: unknown): boolean {
  return error instanceof Error && "code" in error && sentAfterAFailure.includes(error.code);
}

/** Queries that are sent together over one connection: one round trip in all. */
export async function together<Schema, Result>(
  database: Kysely<Schema>,
  ask: (reader: Kysely<Schema>) => Promise<Result>,
  planning: Planning = "each-time",
): Promise<Result> {
  if (planning === "each-time")
    return database.getExecutor().provideConnection((connection) => ask(boundTo(database, connection)));
  const asked = async (reader: Kysely<Schema>, commitsNow: CommitsNow) => {
    const asking = ask(reader);
    commitsNow();
    return asking;
  };
  return transact(database, asked, planning);
}

function boundTo<Schema>(database: Kysely<Schema>, connection: DatabaseConnection): Transaction<Schema> {
  const executor = database.getExecutor().withConnectionProvider({
    provideConnection: (consumer) => consumer(connection),
  });
  return new Transaction<Schema>({ ...unused, executor });
}
