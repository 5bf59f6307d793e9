import { regionOfId } from "#domain/vocabulary.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { storeShared, storeWithdrawn } from "../store/intelligence.ts";
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
): InboxSource {
  let marked = false;
  const applied = (sequences: readonly number[]) => {
    for (const sequence of sequences) decided(sequence);
    changed();
  };
  return {
    name: "NATIONAL",
    epoch: firstEpoch,
    stream: regionStream.national(firstEpoch),
    apply: async (transaction, message) => {
      const batch = NationalBatch.decode(message.data);
      const own = batch.decisions.filter((decision) => decision.region === region);
      await applyOwn(
        transaction,
        own.map((decision) => ({ decision, sequence: batch.sequence, atMs: batch.atMs })),
      );
      await rememberForeign(
        transaction,
        batch.decisions.filter((decision) => decision.region !== region),
        message.sequence,
      );
      for (const row of batch.rows) await applyRow(transaction, row);
      for (const { intelligence } of batch.intelligence) {
        if (intelligence !== undefined) await storeShared(transaction, region, intelligence);
      }
      for (const withdrawn of batch.intelligenceWithdrawn) await storeWithdrawn(transaction, withdrawn);
      marked = own.length > 0 || batch.revokedBatches.some((id) => regionOfId(id) === region);
      if (marked) {
        await markDecided(transaction, [{ sequence: message.sequence, atMs: batch.atMs }]);
      }
    },
    applied: (message) => applied(marked ? [message.sequence] : []),
    snapshot: (connection, after) => nationalSnapshot(connection, region, after, applied),
  };
}
