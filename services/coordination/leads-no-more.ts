import { Refusal } from "#domain/refusal.ts";

/** What a write is told that comes to a leader which is about to end. */
export function leadsNoMore(): Refusal {
  return new Refusal({
    code: "unavailable",
    field: "server",
    value: "",
    message: "this replica of coordination stops, and another one is about to lead",
    remedy: "try again in a few seconds; the same request may be repeated without harm",
  });
}
