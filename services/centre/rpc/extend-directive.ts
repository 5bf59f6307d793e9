import { decideExtend } from "#domain/directive.ts";
import { parseTargetKey } from "#domain/target.ts";
import { parseAction, type Person } from "#domain/vocabulary.ts";
import type { DirectiveView, ExtendDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre } from "../centre.ts";
import { readBatch } from "../store/batches.ts";
import { standingOf } from "../domain/directive-view.ts";
import { opinionOf, readFacts } from "../store/directives.ts";
import { lock } from "../store/transaction.ts";
import { viewOf } from "../store/views.ts";
import { requireHere, writers } from "./people.ts";
import { requireDirective, writeRevision } from "./revision.ts";

/**
 * Moves the end of a directive: a new revision, with the powers of whoever extends it.
 *
 * @throws InvalidInput, Refusal as decideExtend (domain/directive.ts); `not-found`
 */
export async function extendDirective(
  centre: Centre,
  request: ExtendDirectiveRequest,
  person: Person,
): Promise<DirectiveView> {
  requireHere(person, centre.region, writers);
  await centre.accept(async (transaction) => {
    await lock(transaction, [`author:${person.id}`, `directive:${request.id}`]);
    const row = await requireDirective(transaction, request.id);
    const batch = row.batch === "" ? undefined : await readBatch(transaction, row.batch);
    const nowMs = Date.now();
    const isRepeated =
      row.revision > 1 && row.author === person.id && row.expires_at_ms === request.expiresAtMs;
    if (isRepeated && !row.revoked) return noEffects(undefined);
    const target = parseTargetKey(row.target);
    const facts = await readFacts(transaction, {
      author: person.id,
      target: row.target,
      action: parseAction("action", row.action),
      numbers: "number" in target ? [target.number] : [],
      idempotencyKey: "",
      nowMs,
    });
    const outcome = decideExtend(
      { directive: opinionOf(row), state: standingOf({ row, batch }, nowMs).state },
      { expiresAtMs: request.expiresAtMs },
      { nowMs, region: centre.region, person, ...facts },
    );
    return writeRevision(transaction, outcome, person, "directive-extended", nowMs);
  });
  const view = await viewOf(centre.database, request.id, centre.moment());
  if (view === undefined) throw new Error("a directive that was extended is not there");
  return view;
}
