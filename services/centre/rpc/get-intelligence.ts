import type { Person } from "#domain/vocabulary.ts";
import type { GetIntelligenceRequest, IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { intelligenceView, readIntelligence } from "../store/intelligence.ts";
import { notFound } from "./not-found.ts";
import { requireHere, writers } from "./people.ts";

/**
 * One piece of the region's own copy. A note is given only after the reading
 * is in the audit.
 *
 * @throws Refusal `forbidden`, `not-found`
 */
export async function getIntelligence(
  centre: Centre,
  request: GetIntelligenceRequest,
  person: Person,
): Promise<IntelligenceView> {
  requireHere(person, centre.region, writers);
  const row = await readIntelligence(centre.database, request.id);
  if (row === undefined) throw notFound("intelligence", request.id);
  if (row.note !== "") {
    const atMs = Date.now();
    await centre.accept(async () => ({
      result: undefined,
      audit: [
        {
          atMs,
          person: person.id,
          role: person.role,
          what: "intelligence-note-read",
          subject: row.id,
          detail: {},
        },
      ],
      events: [],
    }));
  }
  return intelligenceView(row, true);
}
