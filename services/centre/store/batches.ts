import { sql } from "#platform/database.ts";
import type { BatchView } from "#proto/qalqan/centre/v1/centre.ts";
import { batchView, type BatchTally } from "../domain/batch-view.ts";
import type { ViewMoment } from "../domain/directive-view.ts";
import type { BatchRow, Reader } from "./schema.ts";
import { knowledgeOf } from "./views.ts";

export async function readBatch(database: Reader, id: string): Promise<BatchRow | undefined> {
  return database.selectFrom("batches").selectAll().where("id", "=", id).executeTakeFirst();
}

/** The view of a batch; undefined: there is none of that id. */
export async function batchViewOf(
  database: Reader,
  id: string,
  moment: ViewMoment,
): Promise<BatchView | undefined> {
  const row = await readBatch(database, id);
  if (row === undefined) return undefined;
  return batchView(row, await readTally(database, row), moment);
}

interface Counts {
  members: number;
  accepted: number;
  rejected: number;
  decided: number;
}

async function readTally(database: Reader, batch: BatchRow): Promise<BatchTally> {
  const revoked = batch.revoked_at_ms > 0;
  const open = revoked ? ["", "held", "accepted"] : [""];
  const { rows } = await sql<Counts>`
    select count(*) as members,
      count(*) filter (where decision = 'accepted') as accepted,
      count(*) filter (where decision = 'rejected') as rejected,
      count(*) filter (where not (decision = any(${open})
        or (decision = 'held' and decision_reason = 'approval'))) as decided
    from directives where batch = ${batch.id} and latest`.execute(database);
  const missing = batch.missing.length === 0 ? [] : await readMissing(database, batch.id);
  const last = await database
    .selectFrom("directives")
    .selectAll()
    .where("batch", "=", batch.id)
    .where("latest", "=", true)
    .orderBy("national_revision", "desc")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  const counts = rows[0] ?? { members: 0, accepted: 0, rejected: 0, decided: 0 };
  if (last === undefined) return { ...counts, missing, last: undefined };
  const [knowledge] = await knowledgeOf(database, [last], new Map([[batch.id, batch]]));
  return { ...counts, missing, last: knowledge };
}

/** What members lack: by the capital's decision, else by what this region said when it accepted them. */
async function readMissing(database: Reader, batch: string): Promise<string[]> {
  const { rows } = await sql<{ kind: string }>`
    select distinct kind from directives, unnest(case
      when decision = '' then missing
      when decision = 'held' and decision_reason = 'approval' then decision_missing
      else '{}' end) as kind
    where batch = ${batch} and latest`.execute(database);
  return rows.map(({ kind }) => kind);
}
