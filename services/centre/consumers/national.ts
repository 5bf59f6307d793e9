import { regionOfId } from "#domain/vocabulary.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { storeShared, storeWithdrawn } from "../store/intelligence.ts";
import { isOnlyOfOthers } from "../domain/only-of-others.ts";
import { applyOwn, applyRow, markDecided, rememberForeign } from "../store/national.ts";
import type { InboxSource } from "./inbox.ts";
import { nationalSnapshot } from "./national-snapshot.ts";

/**
 * NATIONAL, the region's own copy: decisions on own directives, protected
 * numbers, the national stop, intelligence for all, and which directives of
 * other regions wait for a second region.
 *
 * @param decided called after the commit of a batch that decided about own directives
 */
export function nationalSource(
  region: string,
  decided: (sequence: number) => void,
  changed: () => void,
): InboxSource<NationalBatch> {
  const applied = (sequences: readonly number[]) => {
    for (const sequence of sequences) decided(sequence);
    changed();
  };
  return {
    name: "NATIONAL",
    epoch: firstEpoch,
    stream: regionStream.national(firstEpoch),
    decode: (data) => NationalBatch.decode(data),
    mayWait: (batch) => isOnlyOfOthers(batch, region),
    apply: async (transaction, batch, sequence) => {
      const own = batch.decisions.filter((decision) => decision.region === region);
      await applyOwn(
        transaction,
        own.map((decision) => ({ decision, sequence: batch.sequence, atMs: batch.atMs })),
      );
      await rememberForeign(
        transaction,
        batch.decisions.filter((decision) => decision.region !== region),
        sequence,
      );
      for (const row of batch.rows) await applyRow(transaction, row);
      for (const { intelligence } of batch.intelligence) {
        if (intelligence !== undefined) await storeShared(transaction, region, intelligence);
      }
      for (const withdrawn of batch.intelligenceWithdrawn) await storeWithdrawn(transaction, withdrawn);
      const marked = own.length > 0 || batch.revokedBatches.some((id) => regionOfId(id) === region);
      if (marked) await markDecided(transaction, [{ sequence, atMs: batch.atMs }]);
      return () => applied(marked ? [sequence] : []);
    },
    snapshot: (connection, after) => nationalSnapshot(connection, region, after, applied),
  };
}
