import { batchGet, streamRange, type StreamState } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { askWaitMs, compareBytesMax } from "./config.ts";
import { beginSearch, commonPrefix, compared, nextToCompare } from "./domain/common-prefix.ts";
import { compareRange, type Agreement, type Range, type StreamEnd } from "./domain/copy.ts";

/** One end of a copied stream, and how it is asked. */
export interface Side {
  readonly connection: NatsConnection;
  readonly get: string;
  readonly info: string;
}

export async function stateOf({ connection, info }: Side, waitMs = askWaitMs): Promise<StreamState> {
  return streamRange(connection, info, waitMs);
}

/**
 * Whether both ends hold the same newest messages.
 *
 * @param most how many of them are compared, and no more of their bytes than `compareBytesMax`
 * @throws when one of the ends does not answer
 */
export async function agreement(
  region: Side,
  hub: Side,
  ends: { readonly region: StreamState; readonly hub: StreamEnd },
  most: number,
): Promise<Agreement> {
  const range = compareRange(ends.region, ends.hub, Math.min(most, messagesIn(compareBytesMax, ends.region)));
  if (range === undefined) return "unknown";
  const ours = await readRange(region, range);
  const from = newestFrom(ours, range);
  const theirs = await readRange(hub, { from, to: range.to });
  const common = [...theirs.keys()].filter((sequence) => ours.has(sequence));
  if (common.length === 0) return "unknown";
  return differing(ours, theirs).length > 0 ? "differ" : "same";
}

/**
 * Last sequence of the history that both ends have in common.
 *
 * @throws when one of the ends does not answer
 */
export async function commonHistory(
  region: Side,
  hub: Side,
  ends: { readonly region: StreamEnd; readonly hub: StreamEnd },
): Promise<number> {
  let search = beginSearch(ends.region, ends.hub);
  for (let range = nextToCompare(search); range !== undefined; range = nextToCompare(search)) {
    const [ours, theirs] = await Promise.all([readRange(region, range), readRange(hub, range)]);
    search = compared(search, range, differing(ours, theirs));
  }
  return commonPrefix(search);
}

/** How many messages of usual size so many bytes hold; one at least. */
function messagesIn(bytes: number, { first, last, bytes: kept }: StreamState): number {
  return Math.max(1, Math.ceil((bytes * (last - first + 1)) / Math.max(1, kept)));
}

/** Where the newest messages begin that have no more bytes than are compared. */
function newestFrom(messages: ReadonlyMap<number, Uint8Array>, { from, to }: Range): number {
  let bytes = 0;
  for (let sequence = to; sequence >= from; sequence -= 1) {
    bytes += messages.get(sequence)?.length ?? 0;
    if (bytes > compareBytesMax && sequence < to) return sequence + 1;
  }
  return from;
}

function differing(ours: ReadonlyMap<number, Uint8Array>, theirs: ReadonlyMap<number, Uint8Array>): number[] {
  return [...ours].flatMap(([sequence, data]) => {
    const other = theirs.get(sequence);
    return other === undefined || Buffer.compare(data, other) === 0 ? [] : [sequence];
  });
}

async function readRange({ connection, get }: Side, { from, to }: Range): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  for (let next = from; next <= to;) {
    const messages = await batchGet(connection, get, next, to - next + 1);
    for (const { sequence, data } of messages) found.set(sequence, data);
    const last = messages.at(-1)?.sequence;
    if (last === undefined) break;
    next = last + 1;
  }
  return found;
}
