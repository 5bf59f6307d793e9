import { sql } from "#platform/database.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { RegionBatch, type Enforcement } from "#proto/qalqan/events/v1/events.ts";
import { storeShared, storeWithdrawn } from "../store/intelligence.ts";
import type { CentreTransaction } from "../store/schema.ts";
import type { InboxSource } from "./inbox.ts";

/** FOR, the region's own copy: since when each region enforces this region's directives, and intelligence for it by name. */
export function forRegionSource(region: string, changed: () => void): InboxSource<RegionBatch> {
  return {
    name: "FOR",
    epoch: firstEpoch,
    stream: regionStream.forRegion(firstEpoch),
    decode: (data) => RegionBatch.decode(data),
    mayWait: () => false,
    apply: async (transaction, batch) => {
      await applyEnforcements(transaction, batch.enforcements);
      for (const { intelligence } of batch.intelligence) {
        if (intelligence !== undefined) await storeShared(transaction, region, intelligence);
      }
      for (const withdrawn of batch.intelligenceWithdrawn) await storeWithdrawn(transaction, withdrawn);
      return changed;
    },
  };
}

/**
 * One row per decided batch of NATIONAL and region; what is said last about
 * them is true. Without a decision (sequence 0) a region just belongs to the nation.
 */
async function applyEnforcements(
  transaction: CentreTransaction,
  enforcements: readonly Enforcement[],
): Promise<void> {
  if (enforcements.length === 0) return;
  const rows = [
    ...new Map(enforcements.map((each) => [`${each.nationalSequence} ${each.region}`, each])).values(),
  ].toSorted((left, right) => left.nationalSequence - right.nationalSequence);
  const decided = rows.filter((row) => row.nationalSequence > 0);
  await sql`
    insert into enforcements (national_sequence, region, state, enforced_at_ms)
    select * from unnest(
      ${decided.map((row) => row.nationalSequence)}::bigint[],
      ${decided.map((row) => row.region)}::text[],
      ${decided.map((row) => row.state)}::text[],
      ${decided.map((row) => row.enforcedAtMs)}::bigint[])
    on conflict (national_sequence, region) do update
      set state = excluded.state, enforced_at_ms = excluded.enforced_at_ms`.execute(transaction);
  const latest = [...new Map(rows.map((row) => [row.region, row])).values()];
  await sql`
    insert into nation_regions (region, state, national_sequence)
    select * from unnest(
      ${latest.map((row) => row.region)}::text[],
      ${latest.map((row) => row.state)}::text[],
      ${latest.map((row) => row.nationalSequence)}::bigint[])
    on conflict (region) do update
      set state = excluded.state, national_sequence = excluded.national_sequence
      where excluded.national_sequence >= nation_regions.national_sequence`.execute(transaction);
}
