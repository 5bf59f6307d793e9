import { parseKind } from "#domain/intelligence.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { IntelligenceView, ListIntelligenceRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { intelligenceView, searchIntelligence } from "../store/intelligence.ts";
import { limitOf } from "./list-directives.ts";
import { requireHere, writers } from "./people.ts";

/**
 * What this region wrote and what reached it, newest first, without notes.
 * Pieces whose validity has ended are left out unless withdrawn ones are asked for.
 *
 * @throws InvalidInput for an unknown kind, or a limit above 100,000
 */
export async function* listIntelligence(
  centre: Centre,
  request: ListIntelligenceRequest,
  person: Person,
): AsyncGenerator<IntelligenceView> {
  requireHere(person, centre.region, writers);
  const kind = request.kind === "" ? "" : parseKind(request.kind);
  const { search, withWithdrawn } = request;
  const asked = { kind, search, withWithdrawn, limit: limitOf(request.limit), nowMs: Date.now() };
  for (const row of await searchIntelligence(centre.database, asked)) yield intelligenceView(row, false);
}
