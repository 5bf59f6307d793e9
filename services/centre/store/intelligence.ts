import { isInAudience } from "#domain/intelligence.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import type { Insertable } from "kysely";
import { sql } from "#platform/database.ts";
import type { IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import type { Intelligence, IntelligenceWithdrawn } from "#proto/qalqan/events/v1/events.ts";
import type { CentreTransaction, IntelligenceRow, Reader } from "./schema.ts";

/** A row as it is read; the search words stay in the database. */
export type ReadIntelligence = Omit<IntelligenceRow, "words">;

const columns = [
  "id",
  "region",
  "revision",
  "kind",
  "fields_json",
  "audience",
  "tlp",
  "confidence",
  "source",
  "author",
  "created_at_ms",
  "valid_until_ms",
  "released_wording",
  "withdrawn",
  "withdrawn_at_ms",
  "note",
] as const;

/** What leaves the region: everything but the note. */
export function intelligenceOf(row: ReadIntelligence): Intelligence {
  return {
    id: row.id,
    revision: row.revision,
    kind: row.kind,
    fieldsJson: row.fields_json,
    audience: row.audience,
    tlp: row.tlp,
    confidence: row.confidence,
    source: row.source,
    author: row.author,
    createdAtMs: row.created_at_ms,
    validUntilMs: row.valid_until_ms,
    releasedWording: row.released_wording,
  };
}

/** @param note whether the reader gets the note too */
export function intelligenceView(row: ReadIntelligence, note: boolean): IntelligenceView {
  return {
    intelligence: intelligenceOf(row),
    region: row.region,
    withdrawn: row.withdrawn,
    note: note ? row.note : "",
  };
}

export async function insertIntelligence(
  transaction: CentreTransaction,
  row: Insertable<IntelligenceRow>,
): Promise<void> {
  await transaction.insertInto("intelligence").values(row).execute();
}

/**
 * Keeps a piece that came down. The own region's come back too and are left as
 * they are; so is one that was withdrawn, or that is not for this region.
 */
export async function storeShared(
  transaction: CentreTransaction,
  region: string,
  piece: Intelligence,
): Promise<void> {
  const writtenIn = regionOfId(piece.id);
  if (writtenIn === region || !isInAudience(piece.audience, region)) return;
  const values = {
    region: writtenIn,
    revision: piece.revision,
    kind: piece.kind,
    fields_json: piece.fieldsJson,
    audience: piece.audience,
    tlp: piece.tlp,
    confidence: piece.confidence,
    source: piece.source,
    author: piece.author,
    created_at_ms: piece.createdAtMs,
    valid_until_ms: piece.validUntilMs,
    released_wording: piece.releasedWording,
    withdrawn: false,
    withdrawn_at_ms: 0,
    note: "",
  };
  await transaction
    .insertInto("intelligence")
    .values({ id: piece.id, ...values })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet(values).where("intelligence.revision", "<", piece.revision),
    )
    .execute();
}

/** What was withdrawn is withdrawn, also where the piece itself has not arrived: it never comes alive then. */
export async function storeWithdrawn(
  transaction: CentreTransaction,
  piece: IntelligenceWithdrawn,
): Promise<void> {
  const values = { revision: piece.revision, withdrawn: true, withdrawn_at_ms: piece.atMs };
  await transaction
    .insertInto("intelligence")
    .values({
      id: piece.id,
      region: regionOfId(piece.id),
      kind: "",
      fields_json: "{}",
      audience: piece.audience,
      tlp: "",
      confidence: 0,
      source: "",
      author: "",
      created_at_ms: piece.atMs,
      valid_until_ms: 0,
      released_wording: "",
      note: "",
      ...values,
    })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet(values).where("intelligence.revision", "<", piece.revision),
    )
    .execute();
}

export async function readIntelligence(database: Reader, id: string): Promise<ReadIntelligence | undefined> {
  return database
    .selectFrom("intelligence")
    .select(columns)
    .where("id", "=", id)
    .where("kind", "<>", "")
    .executeTakeFirst();
}

/** Newest first; all words of `search` are in it. */
export async function searchIntelligence(
  database: Reader,
  asked: {
    readonly kind: string;
    readonly search: string;
    readonly limit: number;
    readonly withWithdrawn: boolean;
    readonly nowMs: number;
  },
): Promise<ReadIntelligence[]> {
  let query = database
    .selectFrom("intelligence")
    .select(columns)
    .where("kind", "<>", "")
    .orderBy("created_at_ms", "desc")
    .orderBy("id")
    .limit(asked.limit);
  if (asked.kind !== "") query = query.where("kind", "=", asked.kind);
  if (!asked.withWithdrawn)
    query = query.where("withdrawn", "=", false).where("valid_until_ms", ">", asked.nowMs);
  if (asked.search.trim() !== "") {
    query = query.where(sql<boolean>`words @@ plainto_tsquery('simple', ${asked.search})`);
  }
  return query.execute();
}
