import type { DirectiveOutcome } from "#domain/directive.ts";
import type { Person } from "#domain/vocabulary.ts";
import { noEffects, type Effects } from "../centre.ts";
import { insertDirective, latestRevision, newRow } from "../store/directives.ts";
import { eventOf, outgoing } from "../store/outbox.ts";
import type { CentreTransaction, DirectiveRow } from "../store/schema.ts";
import { notFound } from "./not-found.ts";

/** @throws Refusal `not-found` */
export async function requireDirective(transaction: CentreTransaction, id: string): Promise<DirectiveRow> {
  const row = await latestRevision(transaction, id);
  if (row === undefined) throw notFound("directive", id);
  return row;
}

/** Writes the next revision of a directive, unless nothing changed. */
export async function writeRevision(
  transaction: CentreTransaction,
  outcome: DirectiveOutcome,
  person: Person,
  what: string,
  nowMs: number,
): Promise<Effects<void>> {
  if (outcome.events.length === 0) return noEffects(undefined);
  const sent = outcome.events.map((each) => outgoing(each.lane, each.body, nowMs));
  const { directive } = outcome;
  const row = newRow(directive, eventOf(sent));
  const { revision, expiresAtMs, missing, reason } = directive;
  return {
    result: undefined,
    rows: [() => insertDirective(transaction, row)],
    audit: [
      {
        atMs: nowMs,
        person: person.id,
        role: person.role,
        what,
        subject: directive.id,
        detail: { revision, expiresAtMs, missing, reason },
      },
    ],
    events: sent,
  };
}
