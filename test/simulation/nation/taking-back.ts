import { distinctNeeds } from "#domain/approving.ts";
import type { Approval } from "#domain/opinion.ts";
import { requirement } from "#domain/powers.ts";
import { stopOverrides, trunkOverrides } from "#domain/setting-order.ts";
import { trunkDirections } from "#domain/trunk.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import type { Event, RegionStop, TrunkSet } from "#proto/qalqan/events/v1/events.ts";
import { changeBatch, newRow } from "./centre-commands.ts";
import { decodeEvent } from "./decoded.ts";
import type { CentreTables } from "./tables.ts";

/** Writes events of the lane back into the tables that they came from (services/centre/store/take-back.ts). */
export function takeBack(tables: CentreTables, region: string, events: readonly Event[]): void {
  const touched = { directives: new Set<string>(), batches: new Set<string>() };
  const revoked = new Map<string, { person: string; atMs: number }>();
  for (const { body } of events) {
    switch (body?.$case) {
      case "directives":
        for (const directive of body.value.directives) {
          const known = tables.directives.get(directive.id);
          if (known === undefined || directive.revision > known.opinion.revision) {
            tables.directives.set(directive.id, newRow(directive));
          } else if (directive.revision === known.opinion.revision && directive.revoked) {
            // Two histories have this revision: a withdrawal counts whichever of them has it.
            const { revokedBy } = directive;
            tables.directives.set(directive.id, {
              ...known,
              opinion: { ...known.opinion, revoked: true, revokedBy },
            });
          }
          touched.directives.add(directive.id);
          if (directive.batch !== "") touched.batches.add(directive.batch);
        }
        break;
      case "approval": {
        const { directive, batch } = body.value;
        if (!tables.approvals.some((each) => isSame(each, body.value))) tables.approvals.push(body.value);
        if (regionOfId(directive === "" ? batch : directive) !== region) break;
        if (directive === "") touched.batches.add(batch);
        else touched.directives.add(directive);
        break;
      }
      case "batchRevocation":
        revoked.set(body.value.batch, body.value);
        touched.batches.add(body.value.batch);
        break;
      case "trunkSet":
        takeTrunk(tables, body.value);
        break;
      case "regionStop":
        takeStop(tables, body.value);
        break;
      case "receipt":
      case "counters":
      case "intelligence":
      case "intelligenceWithdrawn":
      case "heartbeat":
      case "epochOpened":
      case "seal":
      case "alarms":
      case undefined:
        break;
      default:
        body satisfies never;
    }
  }
  for (const batch of touched.batches) settleBatch(tables, batch, revoked.get(batch));
  for (const id of touched.directives) settleDirective(tables, id);
  if (touched.directives.size + touched.batches.size > 0) applyAhead(tables);
}

/** What the nation had decided meanwhile (services/centre/store/national.ts). */
function applyAhead(tables: CentreTables): void {
  for (const [key, decision] of tables.decisionsAhead) {
    const row = tables.directives.get(decision.directive);
    if (row?.opinion.revision !== decision.revision) continue;
    tables.directives.set(decision.directive, { ...row, decision });
    tables.decisionsAhead.delete(key);
  }
}

function isSame(left: Approval, right: Approval): boolean {
  return (["directive", "batch", "revision", "person", "kind", "approved"] as const).every(
    (field) => left[field] === right[field],
  );
}

function settleDirective(tables: CentreTables, id: string): void {
  const row = tables.directives.get(id);
  if (row === undefined) return;
  const { opinion } = row;
  const approvals = tables.approvals.filter(
    (each) => each.directive === id && each.revision === opinion.revision,
  );
  const isEffective = opinion.missing.length === 0 || approvals.some(({ complete }) => complete);
  const refused = approvals.some(({ approved }) => !approved);
  const missing = isEffective ? [] : newRow(opinion).missing;
  tables.directives.set(id, { ...row, isEffective, refused, missing });
}

function settleBatch(
  tables: CentreTables,
  id: string,
  revoked: { readonly person: string; readonly atMs: number } | undefined,
): void {
  const members = [...tables.directives.values()].filter(({ opinion }) => opinion.batch === id);
  const [first] = members;
  if (!tables.batches.has(id) && first !== undefined) {
    const trunkDirection = (trunk: string) =>
      trunkDirections.find((each) => each === tables.trunks.get(trunk)?.direction);
    const needs = distinctNeeds(members.map(({ opinion }) => requirement(opinion, { trunkDirection })));
    const { author, expiresAtMs } = first.opinion;
    tables.batches.set(id, {
      ...{
        id,
        author,
        needs,
        expiresAtMs,
        refused: false,
        isEffective: false,
        revokedBy: "",
        revokedAtMs: 0,
      },
    });
  }
  const ended = revoked ?? revocationOf(tables, id);
  const approvals = tables.approvals.filter((each) => each.directive === "" && each.batch === id);
  const needs = tables.batches.get(id)?.needs ?? [];
  changeBatch(tables, id, {
    refused: approvals.some(({ approved }) => !approved),
    isEffective: needs.length === 0 || approvals.some(({ complete }) => complete),
    ...(ended === undefined || (tables.batches.get(id)?.revokedAtMs ?? 0) > 0
      ? {}
      : { revokedBy: ended.person, revokedAtMs: ended.atMs }),
  });
}

function takeTrunk({ trunks }: CentreTables, trunk: TrunkSet): void {
  const known = trunks.get(trunk.trunk);
  if (known === undefined || trunkOverrides(trunk, known)) trunks.set(trunk.trunk, trunk);
}

function takeStop({ stops }: CentreTables, stop: RegionStop): void {
  const known = stops.get(stop.carrier);
  if (known === undefined || stopOverrides(stop, known)) stops.set(stop.carrier, stop);
}

/** What ended a batch may have been taken back before its members. */
function revocationOf({ outbox }: CentreTables, id: string): { person: string; atMs: number } | undefined {
  for (const { bytes } of outbox.urgent) {
    const { body } = decodeEvent(bytes);
    if (body?.$case === "batchRevocation" && body.value.batch === id) return body.value;
  }
  return undefined;
}
