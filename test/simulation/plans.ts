import type { Plan } from "./nation/simulate.ts";
import { processFaults } from "./nation/faults.ts";

/** Processes die, stop and are replaced, lines are cut and bad, clocks lie; disks keep what they said they have. */
export const processPlan: Plan = { weights: processFaults, faultyMs: 25_000, gapMsMax: 2_500 };
