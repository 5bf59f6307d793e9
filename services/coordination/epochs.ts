import { firstEpoch } from "#proto/names.ts";

/** The epoch that the capital writes in; the streams of the next one stand ready. */
export const capitalEpoch = firstEpoch;
export const capitalEpochs: readonly number[] = [capitalEpoch, capitalEpoch + 1];
