import type { Person } from "#domain/vocabulary.ts";
import type { SetStopRequest, SetStopResponse } from "#proto/qalqan/centre/v1/centre.ts";
import { requirePerson } from "#platform/identity.ts";
import { noEffects, type Centre } from "../centre.ts";
import { outgoing } from "../store/outbox.ts";
import { lock } from "../store/transaction.ts";
import { regionStopOf } from "../store/trunks.ts";
import { requireCarrier } from "./people.ts";

/**
 * Turns a stop switch: a carrier's for its trunks, a regional prosecutor's for
 * the region. Under a stop everything is in shadow.
 *
 * @throws Refusal `forbidden`
 */
export async function setStop(
  centre: Centre,
  request: SetStopRequest,
  person: Person,
): Promise<SetStopResponse> {
  requirePerson(person, centre.region, ["carrier", "regional-prosecutor"]);
  const carrier = person.role === "carrier" ? requireCarrier(person, centre.region) : "";
  const response = { stopped: request.stopped, what: carrier === "" ? "region" : carrier };
  return centre.accept(async (transaction) => {
    await lock(transaction, ["stops"]);
    const stops = await transaction.selectFrom("stops").selectAll().execute();
    const known = stops.find((stop) => stop.carrier === carrier);
    const atMs = Date.now();
    if ((known?.stopped ?? false) === request.stopped) return noEffects(response);
    const revision = Math.max(0, ...stops.map((stop) => stop.revision)) + 1;
    const row = { carrier, revision, stopped: request.stopped, person: person.id, at_ms: atMs };
    await transaction
      .insertInto("stops")
      .values(row)
      .onConflict((conflict) => conflict.column("carrier").doUpdateSet(row))
      .execute();
    return {
      result: response,
      audit: [
        {
          atMs,
          person: person.id,
          role: person.role,
          what: request.stopped ? "stopped" : "resumed",
          subject: response.what,
          detail: { revision },
        },
      ],
      events: [outgoing("urgent", { $case: "regionStop", value: regionStopOf(row) }, atMs)],
    };
  });
}
