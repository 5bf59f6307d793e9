import { monotonicFactory } from "ulid";
import { batchStanding, distinctNeeds } from "#domain/approving.ts";
import { decideIssue, type WritingContext } from "#domain/directive.ts";
import type { Opinion } from "#domain/opinion.ts";
import { requirement, type Requirement } from "#domain/powers.ts";
import { Refusal } from "#domain/refusal.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { RefusedEntry } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre, type Effects } from "../centre.ts";
import { directivesPerMessageMax } from "../config.ts";
import { knownBatchOf } from "../domain/batch-view.ts";
import type { CollectedEntry, EntryCollector } from "../domain/import-entries.ts";
import { commandFor, type ImportWish } from "../domain/import-wish.ts";
import { readTrunkDirections } from "../store/directives.ts";
import { insertMembers, readFirsts, readProtected } from "../store/imports.ts";
import { outgoing, type Outgoing } from "../store/outbox.ts";
import type { BatchRow, CentreTransaction, Reader } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";

/** What became of a whole import. */
export type WrittenImport =
  | {
      readonly kind: "written";
      /** Empty when no entry was left, or for a trial. */
      readonly batch: string;
      readonly state: string;
      readonly missing: string[];
      /** Entries that powers or protection refused. */
      readonly refused: readonly RefusedEntry[];
    }
  /** The same content was imported meanwhile. */
  | { readonly kind: "repeated"; readonly first: BatchRow; readonly refused: readonly RefusedEntry[] };

/** The batch that came of the same content before. */
export async function batchOfContent(database: Reader, contentKey: string): Promise<BatchRow | undefined> {
  return database.selectFrom("batches").selectAll().where("content_key", "=", contentKey).executeTakeFirst();
}

/** State and missing approvals of a batch by what this region knows. */
export function stateOfBatch(row: BatchRow): { state: string; missing: string[] } {
  if (row.revoked_at_ms > 0) return { state: "revoked", missing: [] };
  if (row.refused) return { state: "rejected", missing: [] };
  return { state: row.missing.length > 0 ? "held" : "regional", missing: row.missing };
}

/** Writes batch, members, audit and outbox in one transaction; a trial writes nothing. */
export async function writeImport(
  centre: Centre,
  wish: ImportWish,
  collector: EntryCollector,
  person: Person,
): Promise<WrittenImport> {
  return centre.accept((transaction) => write(centre, transaction, wish, collector, person));
}

async function write(
  centre: Centre,
  transaction: CentreTransaction,
  wish: ImportWish,
  collector: EntryCollector,
  person: Person,
): Promise<Effects<WrittenImport>> {
  const { header } = wish;
  // Not the author's own lock: what he issues singly meanwhile would wait until the file is written. A single
  // directive that does not see these members was accepted before them, and their terms, which count from
  // the beginning of the import, are the shorter for it. Imports of one author exclude each other.
  await lock(transaction, [`imports:${person.id}`, `content:${header.contentKey}`]);
  const first = await batchOfContent(transaction, header.contentKey);
  if (first !== undefined) return noEffects({ kind: "repeated", first, refused: [] });
  const nowMs = Date.now();
  const nextUlid = monotonicFactory();
  const batch = `${centre.region}-${nextUlid(nowMs)}`;
  const context = {
    nowMs,
    region: centre.region,
    person,
    uses: [],
    trunkDirection: await readTrunkDirections(transaction),
    protectedTrunksOf: await readProtected(transaction),
  };
  const refused: RefusedEntry[] = [];
  const needs = new Map<string, Requirement>();
  const events: Outgoing[] = [];
  let scope: string | undefined;
  for (const chunk of chunksOf([...collector.collected], directivesPerMessageMax)) {
    const firsts = await readFirsts(
      transaction,
      person.id,
      wish.action,
      chunk.map((entry) => entry.key),
    );
    const members: Opinion[] = [];
    for (const entry of chunk) {
      const id = `${centre.region}-${nextUlid(nowMs)}`;
      const member = decide(
        wish,
        entry,
        { id, batch },
        { ...context, firstOnTargetMs: firsts.get(entry.key) },
      );
      if (typeof member === "string") {
        refused.push(collector.refuse(entry, member));
        continue;
      }
      members.push(member);
      const asked = requirement(member, context);
      needs.set(JSON.stringify(asked), asked);
    }
    const [sample] = members;
    if (sample === undefined) continue;
    scope = sample.scope;
    if (header.dryRun) continue;
    const sent = outgoing("events", { $case: "directives", value: { directives: members } }, nowMs);
    await insertMembers(transaction, members, sent.event);
    events.push(sent);
  }
  const row = batchRow(wish, collector, person, {
    id: batch,
    nowMs,
    scope: scope ?? "nation",
    events,
    needs,
  });
  const { state, missing } = stateOfBatch(row);
  const isEmpty = collector.collectedCount === 0;
  if (header.dryRun || isEmpty) {
    return noEffects({ kind: "written", batch: "", state: isEmpty ? "" : state, missing, refused });
  }
  await transaction.insertInto("batches").values(row).execute();
  const { accepted, merged, entries } = row;
  return {
    result: { kind: "written", batch, state, missing, refused },
    audit: [
      {
        atMs: nowMs,
        person: person.id,
        role: person.role,
        what: "import-accepted",
        subject: batch,
        detail: { entries, accepted, merged, refused: collector.refusedByReason, action: wish.action },
      },
    ],
    events,
  };
}

/** The member that an entry becomes, or why it cannot. What stands in the way of every entry is thrown. */
function decide(
  wish: ImportWish,
  entry: CollectedEntry,
  names: { readonly id: string; readonly batch: string },
  context: WritingContext,
): Opinion | string {
  try {
    return decideIssue(commandFor(wish, { ...names, target: entry.target }), context).directive;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.field === "target" && error.code === "failed-precondition"
      ? "protected"
      : `powers-${error.field}`;
  }
}

function batchRow(
  wish: ImportWish,
  collector: EntryCollector,
  person: Person,
  of: {
    readonly id: string;
    readonly nowMs: number;
    readonly scope: string;
    readonly events: readonly Outgoing[];
    readonly needs: ReadonlyMap<string, Requirement>;
  },
): BatchRow {
  const lastEvent = of.events.at(-1)?.event ?? "";
  const row: BatchRow = {
    id: of.id,
    content_key: wish.header.contentKey,
    action: wish.action,
    scope: of.scope,
    basis: wish.header.basis,
    reason: wish.header.reason,
    author: person.id,
    author_role: person.role,
    accepted_at_ms: of.nowMs,
    expires_at_ms: wish.header.expiresAtMs,
    entries: collector.entries,
    accepted: collector.collectedCount,
    merged: collector.merged,
    refused_by_reason: JSON.stringify(collector.refusedByReason),
    needs: JSON.stringify(distinctNeeds(of.needs.values())),
    missing: [],
    refused: false,
    last_event: lastEvent,
    effect_event: null,
    revoked_at_ms: 0,
    revoked_by: "",
    revoked_reason: "",
    revoke_event: null,
  };
  const { missing } = batchStanding(knownBatchOf(row, []));
  return { ...row, missing, effect_event: missing.length === 0 ? lastEvent : null };
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}
