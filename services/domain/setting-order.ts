import type { StopSetting, TrunkSetting } from "./overlay-events.ts";
import { trunkDirections, trunkModes } from "./trunk.ts";

/** What is compared of two settings, one after the other: the greater one counts. */
type Rank = readonly (number | string)[];

/**
 * Whether a stop switch counts before the one that is known: that of the higher
 * revision. Where a restored database gave one revision twice, the one that does
 * less to calls, so that it is everywhere the same whatever came first.
 */
export function stopOverrides(given: Omit<StopSetting, "carrier">, known: Omit<StopSetting, "carrier">) {
  const rankOf = ({ revision, stopped, person }: typeof given): Rank => [revision, stopped ? 1 : 0, person];
  return isAfter(rankOf(given), rankOf(known));
}

/** The same of two settings of one trunk. */
export function trunkOverrides(given: Omit<TrunkSetting, "trunk">, known: Omit<TrunkSetting, "trunk">) {
  const rankOf = (setting: typeof given): Rank => [
    ...directionRank(setting),
    ...[-place(trunkModes, setting.mode), -setting.percent, setting.operator, setting.sbcAddress],
  ];
  return isAfter(rankOf(given), rankOf(known));
}

/** The same as far as the capital knows a trunk. */
export function directionOverrides(
  given: Pick<TrunkSetting, "revision" | "direction">,
  known: Pick<TrunkSetting, "revision" | "direction">,
) {
  return isAfter(directionRank(given), directionRank(known));
}

function directionRank({ revision, direction }: Pick<TrunkSetting, "revision" | "direction">): Rank {
  return [revision, place(trunkDirections, direction)];
}

/** A word that only a newer release knows is as the first: it alters no call. */
const place = (known: readonly string[], word: string): number => Math.max(0, known.indexOf(word));

function isAfter(given: Rank, known: Rank): boolean {
  const first = given.findIndex((each, index) => each !== known[index]);
  const [left, right] = [given[first], known[first]];
  return left !== undefined && right !== undefined && left > right;
}
