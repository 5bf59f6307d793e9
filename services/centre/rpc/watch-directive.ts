import type { Person } from "#domain/vocabulary.ts";
import type { DirectiveView, GetDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { watchPollMs } from "../config.ts";
import { getDirective } from "./get-directive.ts";

/** The view at once and again whenever it changes, until the client ends. */
export function watchDirective(
  centre: Centre,
  request: GetDirectiveRequest,
  person: Person,
  signal: AbortSignal,
): AsyncIterable<DirectiveView> {
  const read = () => centre.standing.answer(() => getDirective(centre, request, person));
  return centre.changes.watch(read, { pollMs: watchPollMs, shareMax: 1, signal });
}
