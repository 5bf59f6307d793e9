import type { NationStatus, Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";

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
    alarms: status.alarms,
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
