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
 * Runs one transaction whose statements need not wait for each other: those
 * that are sent together (`Promise.all`) are carried out in the order in which
 * they were sent, and cost one round trip in all. Kysely's own answers each
 * before it sends the next, and a busy machine makes every round trip long.
 *
 * When one fails, or `work` throws, nothing was written; what is thrown is why the
 * first one failed, also where `work` heard of a later one before.
 */
export async function transact<Schema, Result>(
  database: Kysely<Schema>,
  work: (transaction: Transaction<Schema>) => Promise<Result>,
): Promise<Result> {
  return database.getExecutor().provideConnection(async (connection) => {
    const send = (text: string) => connection.executeQuery(CompiledQuery.raw(text));
    const failures: unknown[] = [];
    const noted: DatabaseConnection = {
      async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
        try {
          return await connection.executeQuery<Row>(query);
        } catch (error) {
          failures.push(error);
          throw error;
        }
      },
      streamQuery: <Row>(query: CompiledQuery, size?: number) => connection.streamQuery<Row>(query, size),
    };
    const begun = send("begin");
    try {
      const [result] = await Promise.all([work(boundTo(database, noted)), begun]);
      await send("commit");
      return result;
    } catch (error) {
      await send("rollback");
      throw isSentAfterAFailure(error)
        ? (failures.find((each) => !isSentAfterAFailure(each)) ?? error)
        : error;
    }
  });
}

function isSentAfterAFailure(error: unknown): boolean {
  return error instanceof Error && "code" in error && sentAfterAFailure.includes(error.code);
}

/** Queries that are sent together over one connection: one round trip in all, and no transaction. */
export async function together<Schema, Result>(
  database: Kysely<Schema>,
  ask: (reader: Kysely<Schema>) => Promise<Result>,
): Promise<Result> {
  return database.getExecutor().provideConnection((connection) => ask(boundTo(database, connection)));
}

function boundTo<Schema>(database: Kysely<Schema>, connection: DatabaseConnection): Transaction<Schema> {
  const executor = database.getExecutor().withConnectionProvider({
    provideConnection: (consumer) => consumer(connection),
  });
  return new Transaction<Schema>({ ...unused, executor });
}
