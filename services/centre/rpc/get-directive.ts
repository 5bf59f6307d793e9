import type { Person } from "#domain/vocabulary.ts";
import type { DirectiveView, GetDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { viewOf } from "../store/views.ts";
import { notFound } from "./not-found.ts";
import { readers, requireHere } from "./people.ts";

/** A directive with its story. @throws Refusal `not-found` */
export async function getDirective(
  centre: Centre,
  request: GetDirectiveRequest,
  person: Person,
): Promise<DirectiveView> {
  requireHere(person, centre.region, readers);
  const view = await viewOf(centre.database, request.id, centre.moment());
  if (view === undefined) throw notFound("directive", request.id);
  return view;
}
