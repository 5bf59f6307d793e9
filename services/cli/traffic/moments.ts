import { Chance } from "./chance.ts";
import type { Population } from "./population.ts";

export interface Pace {
  /** Milliseconds since 1970: says which hour of the day it is at the beginning. */
  readonly beginsAtMs: number;
  /** Of the whole nation, at the busiest hour of the day. */
  readonly callsPerSecond: number;
}

const hourMs = 3_600_000;

/**
 * When calls begin, in milliseconds after the beginning, rising without end:
 * independent arrivals (Poisson) whose rate follows the hour of the day in
 * Kazakhstan. Drawn apart from the calls themselves, so that the calls of a
 * seed are the same at any time and any rate.
 */
export function* momentsOf(
  population: Pick<Population, "hourWeights" | "utcOffsetHours">,
  seed: number,
  { beginsAtMs, callsPerSecond }: Pace,
): Generator<number, never> {
  const chance = new Chance(seed);
  for (let afterMs = 0; ;) {
    const rateNow = callsPerSecond * hourWeight(population, beginsAtMs + afterMs);
    // An exponential gap; of an hour without any call only its end is sought.
    const gapMs = rateNow > 0 ? (-Math.log(1 - chance.number()) / rateNow) * 1_000 : Number.POSITIVE_INFINITY;
    const untilNextHourMs = hourMs - ((beginsAtMs + afterMs) % hourMs);
    // The gap has no memory, so at the hour's end it may be drawn anew at the new rate.
    if (gapMs >= untilNextHourMs) {
      afterMs += untilNextHourMs;
      continue;
    }
    afterMs += gapMs;
    yield afterMs;
  }
}

/** From 0 to 1, relative to the busiest hour. */
function hourWeight(
  { hourWeights, utcOffsetHours }: Pick<Population, "hourWeights" | "utcOffsetHours">,
  atMs: number,
): number {
  const hour = (Math.floor(atMs / hourMs) + utcOffsetHours) % 24;
  return hourWeights[(hour + 24) % 24] ?? 0;
}
