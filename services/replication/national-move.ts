import { isSnapshotShorter } from "#domain/snapshot-way.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { StoredSnapshot } from "#platform/snapshots.ts";

/** First and last sequence of a stream; an empty one: first = last + 1. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Where the region's copy of NATIONAL goes on when the hub no longer has what
 * comes next, or when the region's snapshot is shorter than the way: after the
 * snapshot. Undefined: it goes on where it is.
 *
 * @param here the copy
 * @param there NATIONAL at the hub
 * @throws when only a snapshot leads on, and the region has none yet
 */
export function moveOf(snapshot: StoredSnapshot | undefined, here: Range, there: Range): number | undefined {
  const offered =
    snapshot === undefined
      ? undefined
      : { sequence: snapshot.manifest.sequence, chunks: snapshot.manifest.chunkHashes.length };
  if (
    offered !== undefined &&
    offered.sequence <= there.last &&
    isSnapshotShorter(offered, here.last, there.first)
  )
    return offered.sequence;
  if (here.last + 1 >= there.first) return undefined;
  throw new Error(
    `the hub begins at ${there.first}, the region needs message ${here.last + 1}, and waits for a snapshot`,
  );
}

/** A purge up to a sequence moves a stream that ends before it: the next append then is that message (nats.md). */
export async function moveStream(connection: NatsConnection, stream: string, last: number): Promise<void> {
  const manager = await connection.jetstreamManager({ checkAPI: false });
  await manager.streams.purge(stream, { seq: last + 1 });
}
