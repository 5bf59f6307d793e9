import { sql, type Transaction } from "#platform/database.ts";
import { Intelligence } from "#proto/qalqan/events/v1/events.ts";
import type { Changes } from "../domain/changes.ts";
import type { Database } from "./load.ts";

/** What the capital remembers of a piece of intelligence. */
export interface KnownIntelligence {
  readonly id: string;
  readonly revision: number;
  readonly withdrawn: boolean;
  readonly audience: string;
}

export async function loadIntelligence(
  database: Database,
  ids: readonly string[],
): Promise<Map<string, KnownIntelligence>> {
  const { rows } = await sql<KnownIntelligence>`
    select id, revision, withdrawn, audience from intelligence where id = any(${ids}::text[])
  `.execute(database);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Pieces for a region by name that are not withdrawn: for one that has just joined the nation. */
export async function intelligenceFor(database: Database, region: string): Promise<Intelligence[]> {
  const { rows } = await sql<{ body: Buffer }>`
    select body from intelligence
    where not withdrawn and body is not null and ${region} = any(string_to_array(audience, ',')) order by id
  `.execute(database);
  return rows.map(({ body }) => Intelligence.decode(body));
}

export async function writeIntelligence(
  transaction: Transaction<unknown>,
  { intelligence }: Changes,
): Promise<void> {
  const writing = intelligence.map(({ id, region, revision, withdrawn, audience, body }) =>
    sql`
      insert into intelligence (id, region, revision, withdrawn, audience, body)
      values (${id}, ${region}, ${revision}, ${withdrawn}, ${audience}, ${body === undefined ? null : Buffer.from(body)})
      on conflict (id) do update set
        revision = excluded.revision, withdrawn = excluded.withdrawn, audience = excluded.audience,
        body = coalesce(excluded.body, intelligence.body)
    `.execute(transaction),
  );
  await Promise.all(writing);
}
