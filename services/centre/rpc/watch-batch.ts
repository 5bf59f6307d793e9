import type { Person } from "#domain/vocabulary.ts";
import type { BatchView, GetBatchRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { watchPollMs } from "../config.ts";
import { getBatch } from "./get-batch.ts";

/** Counting a batch of 250,000 costs a third of a second, and each of its messages announces a change. */
const shareMax = 0.1;

/** The view at once and again whenever it changes, until the client ends. */
export function watchBatch(
  centre: Centre,
  request: GetBatchRequest,
  person: Person,
  signal: AbortSignal,
): AsyncIterable<BatchView> {
  const read = () => centre.standing.answer(() => getBatch(centre, request, person));
  return centre.changes.watch(read, { pollMs: watchPollMs, shareMax, signal });
}
