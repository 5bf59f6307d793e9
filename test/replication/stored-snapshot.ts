import type { NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubStream, hubSubject } from "#proto/names.ts";
import type { Intelligence, NationalRow } from "#proto/qalqan/events/v1/events.ts";
import { SnapshotManifest, type DecisionAt } from "#proto/qalqan/events/v1/snapshot.ts";
import { byRegion, chunked, SnapshotDraft } from "../../services/coordination/domain/snapshot-chunks.ts";
import { appendPatiently, lastOf } from "./servers.ts";

/** What the capital has at one sequence of NATIONAL. */
export interface CapitalMoment {
  readonly sequence: number;
  readonly rows: Iterable<NationalRow>;
  readonly decisions?: readonly DecisionAt[];
  readonly revokedBatches?: readonly string[];
  readonly intelligence?: readonly Intelligence[];
}

/** Stores a snapshot as coordination does, in chunks of a few rows: SNAPSHOT of the hub, or where the connection is. */
export async function storeSnapshot(
  connection: NatsConnection,
  moment: CapitalMoment,
  { withManifest = true, rowsPerChunk = 2 } = {},
): Promise<SnapshotManifest> {
  const before = await lastOf(connection, hubStream.snapshot(firstEpoch));
  const draft = new SnapshotDraft(moment.sequence);
  const append = (subject: string, bytes: Uint8Array, place: number) =>
    appendPatiently(connection, subject, before + place, bytes);
  const store = async (...chunk: Parameters<SnapshotDraft["chunk"]>) => {
    const bytes = draft.chunk(...chunk);
    await append(hubSubject.snapshotChunk(firstEpoch), bytes, draft.chunks);
  };
  await store("facts", "", {
    revokedBatches: [...(moment.revokedBatches ?? [])],
    intelligence: (moment.intelligence ?? []).map((intelligence) => ({ intelligence })),
  });
  for await (const { region, decisions } of byRegion(chunked(pairs(moment.decisions ?? [], 2), () => 0)))
    await store("decisions", region, { decisions });
  for await (const rows of pairs([...moment.rows], rowsPerChunk)) await store("rows", "", { rows });
  const manifest = draft.manifest(firstEpoch, Date.now(), before + 1);
  const bytes = SnapshotManifest.encode(manifest).finish();
  if (withManifest) await append(hubSubject.snapshotManifest(firstEpoch), bytes, draft.chunks + 1);
  return manifest;
}

async function* pairs<Item>(items: readonly Item[], size: number): AsyncGenerator<Item[]> {
  for (let index = 0; index < items.length; index += size) yield items.slice(index, index + size);
}
