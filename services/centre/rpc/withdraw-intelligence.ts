import { Refusal } from "#domain/refusal.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { GetIntelligenceRequest, IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre } from "../centre.ts";
import { intelligenceView, readIntelligence, type ReadIntelligence } from "../store/intelligence.ts";
import { outgoing } from "../store/outbox.ts";
import { lock } from "../store/transaction.ts";
import { notFound } from "./not-found.ts";
import { requireHere, writers } from "./people.ts";

/**
 * Withdraws a piece wherever it went: its author may, an analyst and a
 * prosecutor of its region. Again changes nothing.
 *
 * @throws Refusal `not-found`, `forbidden`
 */
export async function withdrawIntelligence(
  centre: Centre,
  request: GetIntelligenceRequest,
  person: Person,
): Promise<IntelligenceView> {
  requireHere(person, centre.region, writers);
  return centre.accept(async (transaction) => {
    await lock(transaction, [`intelligence:${request.id}`]);
    const row = await readIntelligence(transaction, request.id);
    if (row === undefined) throw notFound("intelligence", request.id);
    requireOwn(row, centre.region, person);
    const atMs = Date.now();
    if (row.withdrawn) return noEffects(intelligenceView(row, false));
    const revision = row.revision + 1;
    await transaction
      .updateTable("intelligence")
      .set({ withdrawn: true, withdrawn_at_ms: atMs, revision })
      .where("id", "=", row.id)
      .execute();
    const { id, audience } = row;
    return {
      result: intelligenceView({ ...row, revision, withdrawn: true }, false),
      audit: [
        {
          atMs,
          person: person.id,
          role: person.role,
          what: "intelligence-withdrawn",
          subject: id,
          detail: { revision },
        },
      ],
      events:
        audience === "region"
          ? []
          : [
              outgoing(
                "events",
                { $case: "intelligenceWithdrawn", value: { id, revision, audience, atMs } },
                atMs,
              ),
            ],
    };
  });
}

function requireOwn(row: ReadIntelligence, region: string, person: Person): void {
  const may = person.id === row.author || person.role === "analyst" || person.role.endsWith("prosecutor");
  if (row.region === region && may) return;
  throw new Refusal({
    code: "forbidden",
    field: "id",
    value: row.id,
    message:
      row.region === region
        ? "only its author, an analyst or a prosecutor of the region withdraws it"
        : `it was written in ${row.region}`,
    remedy: row.region === region ? "ask one of them" : `ask the centre of ${row.region}`,
  });
}
