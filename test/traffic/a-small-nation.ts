import type { Call, World } from "../../services/cli/traffic/calls.ts";
import { callsOf } from "../../services/cli/traffic/calls.ts";
import type { Population } from "../../services/cli/traffic/population.ts";

/** Three regions of different size, and a few numbers: what `callsOf` needs beside the population. */
export const smallNation: World = {
  run: "run-1",
  regions: [
    { slug: "north", areaCodes: ["7172"], sizeClass: "large" },
    { slug: "south", areaCodes: ["7272", "7273"], sizeClass: "large" },
    { slug: "west", areaCodes: ["72772"], sizeClass: "small" },
  ],
  campaignNumbers: ["+12092705358", "+14105338179", "+18333041447", "+18333041447"],
  protectedNumbers: ["+77172591717"],
};

export function takeCalls(
  population: Population,
  seed: number,
  count: number,
  world: World = smallNation,
): Call[] {
  return take(callsOf(population, seed, world), count);
}

/** The next `count` of something that has no end. */
export function take<Item>(items: Generator<Item, never>, count: number): Item[] {
  return Array.from({ length: count }, () => items.next().value);
}
