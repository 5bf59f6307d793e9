import { protectedRowKey, rowKey } from "#domain/national-rows.ts";
import { regionOfId, type ApprovalKind } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { NationalBatch, type Decision, type NationalRow } from "#proto/qalqan/events/v1/events.ts";
import { storeShared, storeWithdrawn } from "../store/intelligence.ts";
import type { CentreTransaction } from "../store/schema.ts";
import type { InboxSource } from "./inbox.ts";

/**
 * NATIONAL, the region's own copy: decisions on own directives, protected
 * numbers, the national stop, intelligence for all, and which directives of
 * other regions wait for a second region.
 *
 * @param decided called after the commit of a batch that decided about own directives
 */
export function nationalSource(
  region: string,
  decided: (sequence: number) => void,
  changed: () => void,
): InboxSource {
  let marked = false;
  return {
    name: "NATIONAL",
    epoch: firstEpoch,
    stream: regionStream.national(firstEpoch),
    apply: async (transaction, message) => {
      const batch = NationalBatch.decode(message.data);
      const own = batch.decisions.filter((decision) => decision.region === region);
      await applyOwn(transaction, own, batch);
      await rememberForeign(
        transaction,
        batch.decisions.filter((decision) => decision.region !== region),
        message.sequence,
      );
      for (const row of batch.rows) await applyRow(transaction, row);
      for (const { intelligence } of batch.intelligence) {
        if (intelligence !== undefined) await storeShared(transaction, region, intelligence);
      }
      for (const withdrawn of batch.intelligenceWithdrawn) await storeWithdrawn(transaction, withdrawn);
      marked = own.length > 0 || batch.revokedBatches.some((id) => regionOfId(id) === region);
      if (marked) {
        await transaction
          .insertInto("national_marks")
          .values({ sequence: message.sequence, at_ms: batch.atMs, enforced_at_ms: null })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },
    applied: (message) => {
      if (marked) decided(message.sequence);
      changed();
    },
  };
}

/** A decision belongs to exactly one revision; a later message of the stream says what is true now. */
async function applyOwn(
  transaction: CentreTransaction,
  decisions: readonly Decision[],
  batch: Pick<NationalBatch, "sequence" | "atMs">,
): Promise<void> {
  if (decisions.length === 0) return;
  await sql`
    update directives set decision = decided.decision, decision_reason = decided.reason,
      decision_missing = string_to_array(decided.missing, ','),
      decided_at_ms = ${batch.atMs}, national_revision = ${batch.sequence}
    from unnest(
      ${decisions.map((each) => each.directive)}::text[],
      ${decisions.map((each) => each.revision)}::integer[],
      ${decisions.map((each) => each.decision)}::text[],
      ${decisions.map((each) => each.reason)}::text[],
      ${decisions.map((each) => each.missing.join(","))}::text[]
    ) as decided (id, revision, decision, reason, missing)
    where directives.id = decided.id and directives.revision = decided.revision`.execute(transaction);
}

/** Kinds of approval that another region than the directive's own can give. */
const givenElsewhere: readonly string[] = ["second-region", "carrier"] satisfies ApprovalKind[];

/** Keeps those that wait for such an approval; forgets what was decided otherwise. */
async function rememberForeign(
  transaction: CentreTransaction,
  decisions: readonly Decision[],
  sequence: number,
): Promise<void> {
  if (decisions.length === 0) return;
  await sql`delete from foreign_held where directive = any(${decisions.map((each) => each.directive)})`.execute(
    transaction,
  );
  const held = decisions.filter(
    (each) => each.decision === "held" && each.missing.some((kind) => givenElsewhere.includes(kind)),
  );
  if (held.length === 0) return;
  await transaction
    .insertInto("foreign_held")
    .values(held.map(({ directive, revision, missing }) => ({ directive, revision, missing, sequence })))
    .onConflict((conflict) =>
      conflict.column("directive").doUpdateSet((excluded) => ({
        revision: excluded.ref("excluded.revision"),
        missing: excluded.ref("excluded.missing"),
        sequence,
      })),
    )
    .execute();
}

async function applyRow(transaction: CentreTransaction, row: NationalRow): Promise<void> {
  switch (row.row?.$case) {
    case "protectedNumber": {
      const { number, originatesFrom, holder, revision } = row.row.value;
      const values = { originates_from: originatesFrom, holder, revision };
      await transaction
        .insertInto("protected_numbers")
        .values({ number, ...values })
        .onConflict((conflict) => conflict.column("number").doUpdateSet(values))
        .execute();
      return;
    }
    case "stop": {
      const { stopped, person, atMs, revision } = row.row.value;
      const values = { stopped, person, at_ms: atMs, revision };
      await transaction
        .insertInto("national_stop")
        .values({ one: 1, ...values })
        .onConflict((conflict) => conflict.column("one").doUpdateSet(values))
        .execute();
      return;
    }
    case "removed": {
      const prefix = protectedRowKey("");
      const key = rowKey(row) ?? "";
      if (key.startsWith(prefix)) {
        await transaction
          .deleteFrom("protected_numbers")
          .where("number", "=", key.slice(prefix.length))
          .execute();
      }
      return;
    }
    case "entry":
    case undefined:
      return;
  }
}
