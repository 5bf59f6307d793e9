import type { PostgresPool, PostgresPoolClient } from "kysely";
import type pg from "pg";

/** A plan that was made while a table was empty would go through all of it after an import of a million. */
export const planEachTime = "-c plan_cache_mode=force_custom_plan";

/** Texts that get a name; a service has about a hundred. */
const namedMax = 300;
/** A list of values makes another text for each length: such texts get none. */
const hasList = / in \(\$\d+, \$/i;
const namedParametersMax = 40;
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
    if (known !== undefined || names.size >= namedMax) return known;
    if (hasOpenColumns.test(text) || hasList.test(text)) return undefined;
    const name = `statement-${names.size + 1}`;
    names.set(text, name);
    return name;
  };
  return {
    connect: async () => {
      const client = await pool.connect();
      const query = async (text: string, parameters: readonly unknown[]) => {
        const values = [...parameters];
        const isNamed = values.length > 0 && values.length <= namedParametersMax;
        const name = isNamed ? nameOf(text) : undefined;
        return client.query(name === undefined ? { text, values } : { name, text, values });
      };
      // The other form of `query` is for cursors, which nobody here has.
      return { query: query as unknown as PostgresPoolClient["query"], release: () => client.release() };
    },
    end: () => pool.end(),
  };
}
