import { decideRevoke } from "#domain/directive.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { DirectiveView, RevokeDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { standingOf } from "../domain/directive-view.ts";
import { readBatch } from "../store/batches.ts";
import { opinionOf } from "../store/directives.ts";
import { lock } from "../store/transaction.ts";
import { viewOf } from "../store/views.ts";
import { requireHere, writers } from "./people.ts";
import { requireDirective, writeRevision } from "./revision.ts";

/**
 * Withdraws a directive of this region; again changes nothing.
 *
 * @throws InvalidInput reason; Refusal `forbidden`, `not-found`
 */
export async function revokeDirective(
  centre: Centre,
  request: RevokeDirectiveRequest,
  person: Person,
): Promise<DirectiveView> {
  requireHere(person, centre.region, writers);
  await centre.accept(async (transaction) => {
    await lock(transaction, [`directive:${request.id}`]);
    const row = await requireDirective(transaction, request.id);
    const batch = row.batch === "" ? undefined : await readBatch(transaction, row.batch);
    const nowMs = Date.now();
    const outcome = decideRevoke(
      { directive: opinionOf(row), state: standingOf({ row, batch }, nowMs).state },
      { reason: request.reason },
      { nowMs, region: centre.region, person },
    );
    return writeRevision(transaction, outcome, person, "directive-revoked", nowMs);
  });
  const view = await viewOf(centre.database, request.id, centre.moment());
  if (view === undefined) throw new Error("a directive that was revoked is not there");
  return view;
}
