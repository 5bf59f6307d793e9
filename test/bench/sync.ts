import { directed, overtakes, reconnect } from "./sync/nation.ts";
import { shownLeg, type SyncLeg, type SyncSize } from "./sync/leg.ts";
import { down, restart, snapshot, up } from "./sync/line.ts";

/** The legs by name, in the order in which they run. */
const legs: Readonly<Record<string, (size: SyncSize) => Promise<SyncLeg[]>>> = {
  up,
  down,
  snapshot,
  restart,
  enforced: (size) => directed(3, size),
  "enforced-20": (size) => directed(20, size),
  urgent: overtakes,
  reconnect,
};

export const syncLegs: readonly string[] = Object.keys(legs);

interface SyncWish {
  readonly json?: true;
  /** Names of legs; undefined: all. */
  readonly leg?: readonly string[];
  /** Share of the sizes that the limits are meant for. */
  readonly scale: number;
}

/**
 * How fast what one place knows is true in the others, leg by leg, each beside
 * its limit; and beside NATS's own mirror or source where that can do the job.
 */
export async function syncBenchmark({
  json,
  leg: asked = Object.keys(legs),
  scale,
}: SyncWish): Promise<void> {
  const measured: SyncLeg[] = [];
  for (const [name, measure] of Object.entries(legs)) {
    if (!asked.includes(name)) continue;
    for (const each of await measure({ scale })) {
      measured.push(each);
      if (json !== true) console.info(shownLeg(each));
    }
  }
  if (json) console.info(JSON.stringify({ scale, legs: measured }));
}
