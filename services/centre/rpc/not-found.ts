import { Refusal } from "#domain/refusal.ts";

/** Nothing of that id is known here. */
export function notFound(field: string, id: string): Refusal {
  return new Refusal({
    code: "not-found",
    field,
    value: id,
    message: `there is no ${field} ${id} here`,
    remedy: "check the id; it begins with the region whose centre is to be asked",
  });
}
