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

/**
 * How fast what one place knows is true in the others, leg by leg, each beside
 * its limit; and beside NATS's own mirror or source where that can do the job.
 *
 * @param flags `--json`, `--leg NAME` (again for more), `--scale SHARE` of the sizes that the limits are meant for
 */
export async function syncBenchmark(json: boolean, flags: readonly string[]): Promise<void> {
  const asked = flags.flatMap((flag, index) => (flag === "--leg" ? [flags[index + 1] ?? ""] : []));
  const scale = Number(flags.includes("--scale") ? flags[flags.indexOf("--scale") + 1] : 1);
  const unknown = asked.filter((name) => legs[name] === undefined);
  if (unknown.length > 0 || !(scale > 0)) {
    console.error(`--leg takes one of ${Object.keys(legs).join(", ")}; --scale a number above 0`);
    process.exitCode = 2;
    return;
  }
  const measured: SyncLeg[] = [];
  for (const [name, leg] of Object.entries(legs)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    for (const each of await leg({ scale })) {
      measured.push(each);
      if (!json) console.info(shownLeg(each));
    }
  }
  if (json) console.info(JSON.stringify({ scale, legs: measured }));
}
