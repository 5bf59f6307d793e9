import type { Opinion } from "#domain/opinion.ts";
import { actions, slotOf, type Action } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import type { CentreTransaction, Reader } from "./schema.ts";

/** When the author's first directive on each of the targets, in the action's slot, was accepted. */
export async function readFirsts(
  database: Reader,
  author: string,
  action: Action,
  targets: readonly string[],
): Promise<Map<string, number>> {
  const slot = actions.filter((each) => slotOf(each) === slotOf(action));
  const { rows } = await sql<{ target: string; first: number }>`
    select target, min(accepted_at_ms) as first from directives
    where author = ${author} and target = any(${targets}) and action = any(${slot}) and not revoked
    group by target`.execute(database);
  return new Map(rows.map((row) => [row.target, row.first]));
}

/** Every protected number with the trunks where it originates. */
export async function readProtected(
  database: Reader,
): Promise<(number: string) => readonly string[] | undefined> {
  const rows = await database.selectFrom("protected_numbers").select(["number", "originates_from"]).execute();
  const trunks = new Map(rows.map((row) => [row.number, row.originates_from]));
  return (number) => trunks.get(number);
}

/**
 * Writes members of one import that one event carries: what is equal in all of
 * them is sent once, so that a thousand rows cost a few milliseconds.
 */
export async function insertMembers(
  transaction: CentreTransaction,
  members: readonly Opinion[],
  event: string,
): Promise<void> {
  const [first] = members;
  if (first === undefined) return;
  await sql`
    insert into directives (id, revision, latest, target, action, scope, basis, reason, author, author_role,
      accepted_at_ms, expires_at_ms, term_from_ms, override_revision, batch, evidence, revoked, revoked_by,
      missing_at_acceptance, false_stop_of, beyond_daily_targets, missing, event)
    select id, 1, true, target, ${first.action}, ${first.scope}, ${first.basis}, ${first.reason}, ${first.author},
      ${first.authorRole}, ${first.acceptedAtMs}, ${first.expiresAtMs}, term_from_ms, 0, ${first.batch}, '{}', false,
      '', string_to_array(missing, ','), '', false, string_to_array(missing, ','), ${event}
    from unnest(
      ${members.map((each) => each.id)}::text[],
      ${members.map((each) => each.target)}::text[],
      ${members.map((each) => each.termFromMs)}::bigint[],
      ${members.map((each) => each.missing.join(","))}::text[]
    ) as members (id, target, term_from_ms, missing)`.execute(transaction);
}
