import { protectedRowKey, rowKey } from "#domain/national-rows.ts";
import { sql } from "#platform/database.ts";
import type { Decision, NationalRow } from "#proto/qalqan/events/v1/events.ts";
import { aheadKeptDays } from "../config.ts";
import { waitsForOthers } from "../domain/only-of-others.ts";
import type { CentreTransaction } from "./schema.ts";

/** From now on it is asked since when this region enforces what these messages decided. */
export async function markDecided(
  transaction: CentreTransaction,
  messages: readonly { readonly sequence: number; readonly atMs: number }[],
): Promise<void> {
  await sql`
    insert into national_marks (sequence, at_ms) select * from unnest(
      ${messages.map(({ sequence }) => sequence)}::bigint[], ${messages.map(({ atMs }) => atMs)}::bigint[]
    ) on conflict do nothing`.execute(transaction);
}

/** A decision on an own directive, with the message of NATIONAL that brought it. */
export interface OwnDecision {
  readonly decision: Decision;
  readonly sequence: number;
  readonly atMs: number;
}

/**
 * A decision belongs to exactly one revision; a later message of the stream
 * says what is true now. One on a directive that the database does not hold is
 * kept for when it is taken back: both may come from an older copy, and NATIONAL
 * may be filled up before the lanes are. What is not back after
 * {@link aheadKeptDays} is lost for ever.
 */
export async function applyOwn(
  transaction: CentreTransaction,
  decisions: readonly OwnDecision[],
): Promise<void> {
  if (decisions.length === 0) return;
  const { numAffectedRows: kept } = await sql`
    with decided as (
      select distinct on (id, revision) id, revision, decision, reason,
        string_to_array(missing, ',') as missing, sequence, at_ms
      from unnest(
        ${decisions.map(({ decision }) => decision.directive)}::text[],
        ${decisions.map(({ decision }) => decision.revision)}::integer[],
        ${decisions.map(({ decision }) => decision.decision)}::text[],
        ${decisions.map(({ decision }) => decision.reason)}::text[],
        ${decisions.map(({ decision }) => decision.missing.join(","))}::text[],
        ${decisions.map(({ sequence }) => sequence)}::bigint[],
        ${decisions.map(({ atMs }) => atMs)}::bigint[]
      ) as told (id, revision, decision, reason, missing, sequence, at_ms)
      order by id, revision, sequence desc
    ), known as (
      update directives set decision = decided.decision, decision_reason = decided.reason,
        decision_missing = decided.missing, decided_at_ms = decided.at_ms,
        national_revision = decided.sequence
      from decided where directives.id = decided.id and directives.revision = decided.revision
      returning directives.id, directives.revision
    )
    insert into decisions_ahead (id, revision, decision, reason, missing, sequence, at_ms)
    select * from decided where (id, revision) not in (select id, revision from known)
    on conflict (id, revision) do update set decision = excluded.decision, reason = excluded.reason,
      missing = excluded.missing, sequence = excluded.sequence, at_ms = excluded.at_ms,
      kept_at = excluded.kept_at`.execute(transaction);
  // Only where one is added can there be more than before.
  if (kept !== undefined && kept > 0n)
    await sql`delete from decisions_ahead where kept_at < now() - make_interval(days => ${aheadKeptDays})`.execute(
      transaction,
    );
}

/**
 * Gives directives that were taken back what the nation had decided on them
 * meanwhile; where another history gave a revision to something that is here,
 * the nation may have decided on that since.
 */
export async function applyAhead(transaction: CentreTransaction): Promise<void> {
  await sql`
    with decided as (
      delete from decisions_ahead using directives
      where directives.id = decisions_ahead.id and directives.revision = decisions_ahead.revision
      returning decisions_ahead.*
    )
    update directives set decision = decided.decision, decision_reason = decided.reason,
      decision_missing = decided.missing, decided_at_ms = decided.at_ms,
      national_revision = decided.sequence
    from decided where directives.id = decided.id and directives.revision = decided.revision
      and coalesce(directives.national_revision, 0) < decided.sequence`.execute(transaction);
}

/** Keeps those that wait for such an approval; forgets what was decided otherwise. */
export async function rememberForeign(
  transaction: CentreTransaction,
  decisions: readonly Decision[],
  sequence: number,
): Promise<void> {
  if (decisions.length === 0) return;
  await sql`delete from foreign_held where directive = any(${decisions.map((each) => each.directive)})`.execute(
    transaction,
  );
  const held = decisions.filter(waitsForOthers);
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

export async function applyRow(transaction: CentreTransaction, row: NationalRow): Promise<void> {
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
