import type { PostgresPool, PostgresPoolClient } from "kysely";
import type pg from "pg";

/** A plan that was made while a table was empty would go through all of it after an import of a million. */
export const planEachTime = "-c plan_cache_mode=force_custom_plan";

/** Texts that get a name; a service has about a hundred, and lists of values make some more. */
const namedMax = 300;
/** What such a statement gives changes with the schema: prepared, it would fail once a newer release has added a column. */
const hasOpenColumns = /\b(?:select|returning)\s+(?:"?\w+"?\.)?\*(?! from unnest\()/i;

/**
 * Connections on which the server reads each text of a statement with
 * parameters once, and from then on knows it by a name (measured with three
 * regions: a third less work of PostgreSQL, and a tenth to a sixth less time
 * until a directive is enforced). It plans it each time, see {@link planEachTime}.
 */
export function preparing(pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>();
  const nameOf = (text: string): string | undefined => {
    const known = names.get(text);
    if (known !== undefined || names.size >= namedMax || hasOpenColumns.test(text)) return known;
    const name = `statement-${names.size + 1}`;
    names.set(text, name);
    return name;
  };
  return {
    connect: async () => {
      const client = await pool.connect();
      const query = async (text: string, parameters: readonly unknown[]) => {
        const values = [...parameters];
        const name = values.length === 0 ? undefined : nameOf(text);
        return client.query(name === undefined ? { text, values } : { name, text, values });
      };
      // The other form of `query` is for cursors, which nobody here has.
      return { query: query as unknown as PostgresPoolClient["query"], release: () => client.release() };
    },
    end: () => pool.end(),
  };
}
