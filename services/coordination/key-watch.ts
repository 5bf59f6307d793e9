import { sql } from "#platform/database.ts";
import type { Alarms } from "#platform/alarms.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { isRevoked } from "./domain/key-changes.ts";
import type { Leader } from "./leader.ts";
import type { NationRegion } from "./nation-file.ts";
import type { Database } from "./store/load.ts";

const actor = "list of regions";
const whatOf = { revoked: "key-revoked", renewed: "key-renewed" } as const;

/** Has the leader refuse from now on what was sent with a key that the list says is revoked. */
export function knowKeys(state: CapitalState, nation: readonly NationRegion[], alarms: Alarms): void {
  for (const { slug, keyChanges } of nation) {
    state.region(slug, Date.now()).keyChanges = keyChanges;
    if (isRevoked(keyChanges)) {
      alarms.raise(
        "key-revoked",
        slug,
        "The key of its line is revoked: what it sends is refused until it has a new one. " +
          `When its servers are in the right hands again: npx qalqan region rotate ${slug}`,
      );
    } else alarms.clear("key-revoked", slug);
  }
}

/** Writes into the audit what the list says of keys and the audit does not. */
export async function auditKeys(
  database: Database,
  leader: Leader,
  nation: readonly NationRegion[],
): Promise<void> {
  const { rows } = await sql<{ region: string; what: string; detail: string }>`
    select region, what, detail from audit where what = any(${Object.values(whatOf)}::text[])
  `.execute(database);
  const known = new Set(rows.map(({ region, what, detail }) => `${region} ${what} ${detail}`));
  const lines = nation.flatMap(({ slug: region, keyChanges }) =>
    keyChanges.map(({ atMs, change }) => {
      return { actor, role: "", region, what: whatOf[change], detail: JSON.stringify({ atMs }) };
    }),
  );
  const news = lines.filter(({ region, what, detail }) => !known.has(`${region} ${what} ${detail}`));
  if (news.length > 0) await leader.carryOut(({ changes }) => void changes.audit.push(...news));
}
