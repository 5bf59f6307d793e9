import { targetsLeft } from "#domain/powers.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { GetQuotaRequest, GetQuotaResponse } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { readUses } from "../store/directives.ts";
import { requireHere, writers } from "./people.ts";

/** How many new targets a person may still name in this rolling day; a look at another's is in the audit. */
export async function getQuota(
  centre: Centre,
  request: GetQuotaRequest,
  person: Person,
): Promise<GetQuotaResponse> {
  requireHere(person, centre.region, writers);
  const of = request.person === "" ? person.id : request.person;
  const nowMs = Date.now();
  const left = targetsLeft(await readUses(centre.database, of, nowMs), nowMs);
  if (of !== person.id) {
    await centre.accept(async () => ({
      result: undefined,
      audit: [
        { atMs: nowMs, person: person.id, role: person.role, what: "quota-read", subject: of, detail: {} },
      ],
      events: [],
    }));
  }
  return { targetsLeft: left };
}
