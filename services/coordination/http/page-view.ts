import { isKazakh } from "#domain/number.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import type { NationStatus, Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { directiveView } from "../domain/directive-view.ts";
import { readMinutes } from "../store/minutes.ts";
import { readDirectives } from "../store/views.ts";

const hourMs = 3_600_000;
const minutesShown = 60;
const directivesShown = 20;
/** More than a nation in trouble has; the oldest are shown. */
const alarmsShown = 100;

/** All that the nation's page shows, at one moment; services/console/page/feed/nation.ts reads it. */
export async function pageView(capital: Capital) {
  const status = await capital.status();
  const { atMs } = status;
  const [figures, minutes, directives] = await Promise.all([
    capital.statistics("", atMs - hourMs),
    readMinutes(capital.database, minutesShown, atMs),
    latestDirectives(capital),
  ]);
  const { calls, intercepted, forged } = figures;
  const warned = figures.byVerdict.find(({ name }) => name === "warn")?.count ?? 0;
  return {
    atMs,
    epoch: status.epoch,
    sequence: status.sequence,
    digest: status.digest.toString("hex"),
    stopped: status.stopped,
    regions: regionsShown(capital, status, figures),
    alarms: alarmsOf(status),
    lastHour: { calls, intercepted, forged, warned },
    minutes,
    directives,
  };
}

/** Regions whose names and places are known: the nation's file is read again within a second. */
function regionsShown(capital: Capital, status: NationStatus, figures: Statistics) {
  return status.regions.flatMap(({ region, state, sequence, digest, stalenessMs, sinceMs, epoch }) => {
    const place = capital.regions.find(({ slug }) => slug === region);
    if (place === undefined) return [];
    const { iso, kk, ru, en, lat, lon } = place;
    const counted = figures.byRegion.find((each) => each.region === region);
    const { calls = 0, intercepted = 0, forged = 0 } = counted ?? {};
    return {
      ...{ region, iso, names: { kk, ru, en }, lat, lon, state, sequence, sinceMs, epoch },
      digest: digest.toString("hex"),
      stalenessMs: stalenessMs < 0 ? null : stalenessMs,
      ...{ calls, intercepted, forged },
    };
  });
}

/** What somebody should look at, in the capital (no region) and in the regions, the oldest first. */
function alarmsOf({ alarms, regions }: NationStatus) {
  const everywhere = [
    ...alarms.map((alarm) => ({ region: "", ...alarm })),
    ...regions.flatMap((region) => region.alarms.map((alarm) => ({ region: region.region, ...alarm }))),
  ];
  return everywhere
    .toSorted((left, right) => left.sinceMs - right.sinceMs)
    .slice(0, alarmsShown)
    .map(({ region, code, subject, detail, sinceMs }) => ({ region, code, subject, detail, sinceMs }));
}

async function latestDirectives(capital: Capital) {
  const moment = await capital.moment();
  // An import would push everything that people decided one by one off the page.
  const filter = { state: "", batch: "", singlesOnly: true };
  const { known } = await readDirectives(capital.database, filter, undefined, directivesShown, moment.nowMs);
  return known.map((each) => directiveShown(directiveView(each, moment)));
}

function directiveShown(view: DirectiveView) {
  const { id, target, action, acceptedAtMs, state, receipts } = view;
  const enforced = receipts.filter((receipt) => receipt.state === "enforced");
  const isEverywhere = receipts.length > 0 && enforced.length === receipts.length;
  return {
    id,
    region: id.slice(0, id.lastIndexOf("-")),
    target: targetShown(target, action),
    action,
    acceptedAtMs,
    state,
    enforcedIn: enforced.length,
    of: receipts.length,
    slowestMs: isEverywhere ? Math.max(...enforced.map(({ milliseconds }) => milliseconds)) : null,
  };
}

/**
 * A target as the page may show it. A Kazakh number can be borrowed from a
 * citizen whom the fraud has hit as well, and an allowed one belongs to nobody
 * suspected: of those the middle digits are withheld.
 */
export function targetShown(target: string, action: string): string {
  return target.replaceAll(/\+\d{7,15}(?![\d-])/g, (number) => {
    const isPart = target.includes(`-${number}`);
    if (isPart || (action !== "allow" && !isKazakh(number))) return number;
    return `${number.slice(0, 5)}${"•".repeat(number.length - 7)}${number.slice(-2)}`;
  });
}
