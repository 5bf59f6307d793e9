import { Overlay } from "#domain/overlay.ts";
import type { OverlayEvent } from "#domain/overlay-events.ts";
import type { CentreTables, DirectiveRow } from "./tables.ts";

/** What a replica loads whole (services/centre/rpc/get-overlay.ts). */
export interface WholeOverlay {
  readonly epoch: number;
  readonly eventsSequence: number;
  readonly urgentSequence: number;
  readonly events: readonly OverlayEvent[];
}

/** The overlay's events out of the database (services/centre/store/overlay.ts). */
export function overlayEvents(tables: CentreTables, nowMs: number): OverlayEvent[] {
  const rows = [...tables.directives.values()].filter((row) => isInOverlay(tables, row, nowMs));
  const batches = [...tables.batches.values()].filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  const approved = rows.filter(
    ({ opinion, isEffective, decision }) =>
      opinion.missing.length > 0 && (isEffective || decision?.decision === "accepted"),
  );
  return [
    { body: { $case: "directives", value: { directives: rows.map(({ opinion }) => opinion) } } },
    ...approved.map(({ opinion }) => complete(opinion.id, opinion.revision, "")),
    ...batches.filter(({ isEffective }) => isEffective).map(({ id }) => complete("", 1, id)),
    ...batches
      .filter(({ revokedAtMs }) => revokedAtMs > 0)
      .map(({ id }): OverlayEvent => ({ body: { $case: "batchRevocation", value: { batch: id } } })),
    ...[...tables.trunks.values()].map((value): OverlayEvent => ({ body: { $case: "trunkSet", value } })),
    ...[...tables.stops.values()].map((value): OverlayEvent => ({ body: { $case: "regionStop", value } })),
  ];
}

function isInOverlay(
  tables: CentreTables,
  { opinion, refused, decision }: DirectiveRow,
  nowMs: number,
): boolean {
  const batch = tables.batches.get(opinion.batch);
  if (opinion.expiresAtMs <= nowMs || refused || (batch?.refused ?? false)) return false;
  const word = decision?.decision ?? "";
  const open = ["", "held"].includes(word);
  if (opinion.revoked || (batch?.revokedAtMs ?? 0) > 0) return open || word === "accepted";
  return open || (opinion.scope === "region" && word === "accepted");
}

function complete(directive: string, revision: number, batch: string): OverlayEvent {
  return {
    body: { $case: "approval", value: { directive, revision, batch, approved: true, complete: true } },
  };
}

/** services/screening/overlay-source.ts */
export function overlayOf(region: string, whole: WholeOverlay): Overlay {
  const overlay = new Overlay(region);
  for (const event of whole.events) overlay.applyEvent(event, { lane: "events", sequence: 0 });
  overlay.advance({ lane: "events", sequence: whole.eventsSequence });
  overlay.advance({ lane: "urgent", sequence: whole.urgentSequence });
  return overlay;
}
