import {
  bothDisksFaults,
  capitalDiskFaults,
  hubDiskFaults,
  manyDisksFaults,
  leaderFaults,
  processFaults,
  regionDiskFaults,
} from "./nation/faults.ts";
import type { Plan } from "./nation/simulate.ts";

const common = { faultyMs: 25_000, gapMsMax: 2_500 };

/** What happens to a nation, by what is said of it. */
export const plans = {
  /** Processes die, stop and are replaced, lines are cut and bad, clocks lie; disks keep what they said they have. */
  processes: { ...common, weights: processFaults },
  leaders: { ...common, weights: leaderFaults },
  /** Beside what happens to processes, disks of regions come back older: a store, a database, or both. */
  "disks of regions": { ...common, weights: regionDiskFaults },
  /** Beside that, the hub's disk comes back older, and databases of regions. */
  "disk of the hub": { ...common, weights: hubDiskFaults },
  /** Beside that, the hub's disk and a region's come back older at once. */
  "disks at both ends": { ...common, weights: bothDisksFaults },
  /** Beside that, the capital's database comes back older. */
  "disk of the capital": { ...common, weights: capitalDiskFaults },
  /** Beside that, disks of regions and of the hub: an epoch may be opened while lanes are read again. */
  "disks everywhere": { ...common, weights: manyDisksFaults },
} satisfies Record<string, Plan>;
