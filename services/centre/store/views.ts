import {
  directiveView,
  storyOf,
  type DirectiveKnowledge,
  type OwnTimes,
  type ViewMoment,
} from "../domain/directive-view.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import type { BatchRow, DirectiveRow, EnforcementRow, NationRegionRow, Reader } from "./schema.ts";

/** Views of directives, without their stories; what belongs to them is read for all at once. */
export async function viewsOf(
  database: Reader,
  rows: readonly DirectiveRow[],
  moment: ViewMoment,
): Promise<DirectiveView[]> {
  if (rows.length === 0) return [];
  const batches = await readBatches(database, rows);
  const known = await knowledgeOf(database, rows, batches);
  return known.map((each) => directiveView(each, moment));
}

/** All that views of these rows are made of. */
export async function knowledgeOf(
  database: Reader,
  rows: readonly DirectiveRow[],
  batches: ReadonlyMap<string, BatchRow>,
): Promise<DirectiveKnowledge[]> {
  const [own, enforcements, nation] = await Promise.all([
    readOwnTimes(database, rows, [...batches.values()]),
    readEnforcements(database, rows),
    readNation(database),
  ]);
  return rows.map((row) => ({
    ...{ row, own, nation },
    batch: batches.get(row.batch),
    enforcements: enforcements.get(row.national_revision) ?? [],
  }));
}

/** The view of one directive with its story; undefined: there is none of that id. */
export async function viewOf(
  database: Reader,
  id: string,
  moment: ViewMoment,
): Promise<DirectiveView | undefined> {
  const revisions = await database
    .selectFrom("directives")
    .selectAll()
    .where("id", "=", id)
    .orderBy("revision")
    .execute();
  const row = revisions.at(-1);
  if (row === undefined) return undefined;
  const [[view], approvals, batches] = await Promise.all([
    viewsOf(database, [row], moment),
    database
      .selectFrom("approvals")
      .selectAll()
      .where((where) =>
        row.batch === ""
          ? where("directive", "=", id)
          : where.or([where("directive", "=", id), where("batch", "=", row.batch)]),
      )
      .orderBy("number")
      .execute(),
    readBatches(database, [row]),
  ]);
  return view === undefined
    ? undefined
    : { ...view, story: storyOf(revisions, approvals, batches.get(row.batch)) };
}

async function readBatches(database: Reader, rows: readonly DirectiveRow[]): Promise<Map<string, BatchRow>> {
  const ids = [...new Set(rows.map((row) => row.batch).filter((batch) => batch !== ""))];
  if (ids.length === 0) return new Map();
  const batches = await database.selectFrom("batches").selectAll().where("id", "in", ids).execute();
  return new Map(batches.map((batch) => [batch.id, batch]));
}

/** By sequence of the batch of NATIONAL that decided the rows. */
async function readEnforcements(
  database: Reader,
  rows: readonly DirectiveRow[],
): Promise<Map<number, EnforcementRow[]>> {
  const sequences = new Set(rows.map((row) => row.national_revision).filter((sequence) => sequence > 0));
  const bySequence = new Map<number, EnforcementRow[]>();
  if (sequences.size === 0) return bySequence;
  const found = await database
    .selectFrom("enforcements")
    .selectAll()
    .where("national_sequence", "in", [...sequences])
    .execute();
  for (const each of found) {
    const known = bySequence.get(each.national_sequence);
    if (known === undefined) bySequence.set(each.national_sequence, [each]);
    else known.push(each);
  }
  return bySequence;
}

/** Every region that coordination has spoken of. */
export async function readNation(database: Reader): Promise<NationRegionRow[]> {
  return database.selectFrom("nation_regions").selectAll().execute();
}

/** When this region had applied what the rows depend on. */
async function readOwnTimes(
  database: Reader,
  rows: readonly DirectiveRow[],
  batches: readonly BatchRow[],
): Promise<OwnTimes> {
  const events = [
    ...rows.flatMap((row) => [row.event, row.effect_event]),
    ...batches.flatMap((batch) => [batch.last_event, batch.effect_event, batch.revoke_event]),
  ].filter((event) => event !== null);
  const sequences = rows.map((row) => row.national_revision).filter((sequence) => sequence > 0);
  const [outbox, marks] = await Promise.all([
    database
      .selectFrom("outbox")
      .select(["event", "enforced_at_ms"])
      .where("event", "in", [...new Set(["", ...events])])
      .execute(),
    sequences.length === 0
      ? []
      : database
          .selectFrom("national_marks")
          .select(["sequence", "enforced_at_ms"])
          .where("sequence", "in", [...new Set(sequences)])
          .execute(),
  ]);
  const ofEvents = new Map(outbox.map((row) => [row.event, row.enforced_at_ms ?? undefined]));
  const ofNational = new Map(marks.map((row) => [row.sequence, row.enforced_at_ms ?? undefined]));
  return {
    ofEvent: (event) => ofEvents.get(event),
    ofNational: (sequence) => ofNational.get(sequence),
  };
}
