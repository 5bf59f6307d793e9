import { Refusal } from "#domain/refusal.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { Trunk } from "#proto/qalqan/centre/v1/centre.ts";
import type { Effects } from "../centre.ts";
import { outgoing } from "../store/outbox.ts";
import type { CentreTransaction, TrunkRow } from "../store/schema.ts";
import { trunkSetOf, trunkView, writeTrunk, type Stops } from "../store/trunks.ts";

/** @throws Refusal `forbidden` for another carrier's trunk */
export function requireOwner(trunk: TrunkRow, carrier: string): void {
  if (trunk.operator === carrier) return;
  throw new Refusal({
    code: "forbidden",
    field: "trunk",
    value: trunk.trunk,
    message: `the trunk belongs to ${trunk.operator}`,
    remedy: "only its carrier changes it; a prosecutor has the region's stop switch",
  });
}

/** Writes a new revision of a trunk, with audit and event. */
export async function setTrunk(
  transaction: CentreTransaction,
  row: TrunkRow,
  stops: Stops,
  person: Person,
  what: string,
): Promise<Effects<Trunk>> {
  const atMs = Date.now();
  await writeTrunk(transaction, row);
  const set = trunkSetOf(row);
  return {
    result: trunkView(row, stops),
    audit: [{ atMs, person: person.id, role: person.role, what, subject: row.trunk, detail: { ...set } }],
    events: [outgoing("urgent", { $case: "trunkSet", value: set }, atMs)],
  };
}
