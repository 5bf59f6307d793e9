import { sql } from "#platform/database.ts";
import type { Database } from "./load.ts";

const minuteMs = 60_000;

/** What the nation's switches were told in one minute, each call counted once. */
export interface MinuteFigures {
  /** Its beginning, milliseconds since 1970. */
  readonly minute: number;
  readonly calls: number;
  readonly intercepted: number;
}

/**
 * The minutes up to now, the running one last; those without a call are there as well.
 *
 * @param count at most 48 hours of them: older figures are not kept by the minute
 */
export async function readMinutes(
  database: Database,
  count: number,
  nowMs: number,
): Promise<MinuteFigures[]> {
  const last = Math.floor(nowMs / minuteMs);
  const first = last - count + 1;
  const { rows } = await sql<MinuteFigures>`
    select start as minute, sum(calls)::bigint as calls, sum(intercepted)::bigint as intercepted
    from call_rollup where grain = 'minute' and start between ${first} and ${last} group by start
  `.execute(database);
  const known = new Map(rows.map((row) => [row.minute, row]));
  return Array.from({ length: count }, (_, index) => {
    const { calls = 0, intercepted = 0 } = known.get(first + index) ?? {};
    return { minute: (first + index) * minuteMs, calls, intercepted };
  });
}
