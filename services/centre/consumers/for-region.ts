import { sql } from "#platform/database.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { RegionBatch, type Enforcement } from "#proto/qalqan/events/v1/events.ts";
import { storeShared, storeWithdrawn } from "../store/intelligence.ts";
import type { CentreTransaction } from "../store/schema.ts";
import type { InboxSource } from "./inbox.ts";

/** FOR, the region's own copy: since when each region enforces this region's directives, and intelligence for it by name. */
export function forRegionSource(region: string, changed: () => void): InboxSource {
  return {
    name: "FOR",
    epoch: firstEpoch,
    stream: regionStream.forRegion(firstEpoch),
    apply: async (transaction, message) => {
      const batch = RegionBatch.decode(message.data);
      await applyEnforcements(transaction, batch.enforcements);
      for (const { intelligence } of batch.intelligence) {
        if (intelligence !== undefined) await storeShared(transaction, region, intelligence);
      }
      for (const withdrawn of batch.intelligenceWithdrawn) await storeWithdrawn(transaction, withdrawn);
    },
    applied: changed,
  };
}

/** One row per directive and region: the latest revision and decision that was spoken of. */
async function applyEnforcements(
  transaction: CentreTransaction,
  rows: readonly Enforcement[],
): Promise<void> {
  const last = [...new Map(rows.map((row) => [`${row.directive} ${row.region}`, row])).values()];
  if (last.length === 0) return;
  await sql`
    insert into enforcements (directive, region, revision, state, enforced_at_ms, national_sequence)
    select * from unnest(
      ${last.map((row) => row.directive)}::text[],
      ${last.map((row) => row.region)}::text[],
      ${last.map((row) => row.revision)}::integer[],
      ${last.map((row) => row.state)}::text[],
      ${last.map((row) => row.enforcedAtMs)}::bigint[],
      ${last.map((row) => row.nationalSequence)}::bigint[])
    on conflict (directive, region) do update set revision = excluded.revision, state = excluded.state,
      enforced_at_ms = excluded.enforced_at_ms, national_sequence = excluded.national_sequence
    where (excluded.revision, excluded.national_sequence)
      >= (enforcements.revision, enforcements.national_sequence)`.execute(transaction);
}
