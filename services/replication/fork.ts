import { messageAt } from "#platform/batch-get.ts";
import { askWaitMs } from "./config.ts";
import type { Ends } from "./ends.ts";

/**
 * The two ends of a copied stream do not hold the same history. Going on would
 * mix two of them, so the lane stops until a person or a new epoch decides.
 */
export class Forked extends Error {
  override readonly name = "Forked";
}

/**
 * Both ends hold the same bytes under a sequence, or one of them keeps it no
 * longer.
 *
 * @param here direct get of the region's stream
 * @param there direct get of the hub's stream, as the region names it
 * @throws Forked when both keep the message and its bytes differ
 */
export async function compareAt(ends: Ends, here: string, there: string, sequence: number): Promise<void> {
  if (sequence === 0) return;
  const [ours, theirs] = await Promise.all([
    messageAt(ends.region, here, sequence, askWaitMs),
    messageAt(ends.line, there, sequence, askWaitMs),
  ]);
  if (ours === undefined || theirs === undefined) return;
  if (Buffer.compare(ours.data, theirs.data) !== 0)
    throw new Forked(`message ${sequence} differs between region and hub`);
}
