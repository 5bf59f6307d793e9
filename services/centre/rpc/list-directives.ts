import { InvalidInput } from "#domain/invalid-input.ts";
import { parseDirectiveState, type Person } from "#domain/vocabulary.ts";
import type { DirectiveView, ListDirectivesRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { listRowsDefault, listRowsMax } from "../config.ts";
import { viewsOf } from "../store/views.ts";
import { readers, requireHere } from "./people.ts";

const rowsPerRead = 1_000;

/**
 * This region's directives, newest first, without their stories.
 *
 * @throws InvalidInput for an unknown state, or a limit above 100,000
 */
export async function* listDirectives(
  centre: Centre,
  request: ListDirectivesRequest,
  person: Person,
): AsyncGenerator<DirectiveView> {
  requireHere(person, centre.region, readers);
  const state = request.state === "" ? undefined : parseDirectiveState("state", request.state);
  let left = limitOf(request.limit);
  let before: string | undefined;
  for (;;) {
    let query = centre.database
      .selectFrom("directives")
      .selectAll()
      .where("latest", "=", true)
      .orderBy("id", "desc")
      .limit(rowsPerRead);
    if (before !== undefined) query = query.where("id", "<", before);
    if (request.batch !== "") query = query.where("batch", "=", request.batch);
    const rows = await query.execute();
    for (const view of await viewsOf(centre.database, rows, centre.moment())) {
      if (state !== undefined && view.state !== state) continue;
      if (left === 0) return;
      left -= 1;
      yield view;
    }
    before = rows.at(-1)?.id;
    if (rows.length < rowsPerRead || left === 0) return;
  }
}

/** @throws InvalidInput `invalid-limit` */
export function limitOf(limit: number): number {
  if (limit > listRowsMax) {
    throw new InvalidInput({
      code: "invalid-limit",
      field: "limit",
      value: String(limit),
      message: "is more than a list may have",
      remedy: `Give at most ${listRowsMax}.`,
    });
  }
  return limit === 0 ? listRowsDefault : limit;
}
