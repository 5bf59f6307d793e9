import type { NationStatus, Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import type { Capital } from "../capital.ts";
import { directiveView } from "../domain/directive-view.ts";
import { readDirectives } from "../store/views.ts";

const latestDirectives = 20;

/** The nation's status as the page reads it: with names and places of the regions, digests as hex. */
export async function statusJson(capital: Capital) {
  const status = await capital.status();
  const places = new Map(capital.regions.map((region) => [region.slug, region]));
  return {
    epoch: status.epoch,
    sequence: status.sequence,
    digest: status.digest.toString("hex"),
    stopped: status.stopped,
    leader: status.leader,
    atMs: status.atMs,
    regions: status.regions.map((region) => regionJson(region, places.get(region.region))),
  };
}

function regionJson(region: NationStatus["regions"][number], place: Capital["regions"][number] | undefined) {
  const names = place === undefined ? undefined : { en: place.en, kk: place.kk, ru: place.ru };
  const coordinates = place === undefined ? undefined : { latitude: place.lat, longitude: place.lon };
  return { ...region, digest: region.digest.toString("hex"), iso: place?.iso, names, coordinates };
}

/** Figures as the command line and the page read them. */
export function statisticsJson(statistics: Statistics) {
  const { byVerdict, byRegion, ...figures } = statistics;
  return {
    ...figures,
    byVerdict: Object.fromEntries(byVerdict.map(({ name, count }) => [name, count])),
    byRegion: Object.fromEntries(byRegion.map(({ region, ...sum }) => [region, sum])),
  };
}

/**
 * The latest directives: where they came from, what became of them, and in how
 * many regions they are enforced. Targets are left out: the page is open.
 */
export async function latestJson(capital: Capital) {
  const moment = await capital.moment();
  const filter = { state: "", batch: "" };
  const { known } = await readDirectives(capital.database, filter, undefined, latestDirectives, moment.nowMs);
  return known.map((each) => directiveJson(directiveView(each, moment)));
}

function directiveJson(view: DirectiveView) {
  const enforced = view.receipts.filter(({ state }) => state === "enforced");
  return {
    id: view.id,
    revision: view.revision,
    nationalRevision: view.nationalRevision,
    region: view.id.slice(0, view.id.lastIndexOf("-")),
    scope: view.scope,
    state: view.state,
    stateReason: view.stateReason,
    missing: view.missing,
    action: view.action,
    targetKind: kindOf(view.target),
    batch: view.batch,
    basis: view.basis,
    reason: view.reason,
    acceptedAtMs: view.acceptedAtMs,
    expiresAtMs: view.expiresAtMs,
    enforcedIn: enforced.length,
    enforcedOf: view.receipts.length,
    settled: view.settled,
    receipts: view.receipts,
  };
}

function kindOf(target: string): string {
  if (target.startsWith("trunk:")) return "trunk";
  if (target.includes("@")) return "number-on-trunk";
  return target.includes("-") ? "range" : "number";
}
