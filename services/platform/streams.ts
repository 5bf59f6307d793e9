import { DiscardPolicy, RetentionPolicy, StorageType, type JetStreamManager, type StreamConfig } from "nats";
import {
  hubStream,
  hubSubject,
  lanes,
  regionStream,
  regionSubject,
  wholeEpochs,
  type Lane,
} from "#proto/names.ts";

const mebibyte = 1024 * 1024;

/** Largest sizes on disk: at the limit an append is refused, nothing is dropped. */
export const streamBytesMax = {
  local: 2048 * mebibyte,
  events: 4096 * mebibyte,
  urgent: 1024 * mebibyte,
  national: 4096 * mebibyte,
  forRegion: 1024 * mebibyte,
  /** Two of four million directives each. */
  snapshot: 2048 * mebibyte,
  /** A lane of an epoch that is over, at the hub (services/coordination/old-epochs.ts). */
  oldLane: 32 * mebibyte,
} as const;

/** LOCAL is trimmed by age alone. */
const localAgeMaxMs = 30 * 24 * 3_600_000;

/** `allow_atomic` is newer than the client library: the stream takes batches (ADR-50). */
type Configuration = Partial<StreamConfig> & { readonly name: string; readonly allow_atomic?: boolean };
type Wanted = Configuration & Pick<StreamConfig, "name" | "subjects" | "max_bytes">;

/**
 * `deny_delete` cannot be changed afterwards, so every stream has it from its
 * first day; purging by sequence is left to the permissions (nats.md).
 */
function stream(wanted: Wanted): Configuration {
  return {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    allow_direct: true,
    allow_atomic: true,
    deny_delete: true,
    num_replicas: 1,
    ...wanted,
  };
}

const laneBytesMax = (lane: Lane) => streamBytesMax[lane];

/** One lane of a region in one epoch, in the region's own JetStream. */
export function laneStream(lane: Lane, regionEpoch: number) {
  return stream({
    name: regionStream.lane(lane, regionEpoch),
    subjects: [regionSubject.laneAll(lane, regionEpoch)],
    max_bytes: laneBytesMax(lane),
  });
}

/** The streams that a region's replication keeps created in the region's own JetStream. */
export function regionStreams(regionEpoch: number, capitalEpoch: number) {
  return [
    // Old calls make room for new ones: LOCAL is no log between services that acknowledge.
    stream({
      name: regionStream.local,
      subjects: ["local.>"],
      max_bytes: streamBytesMax.local,
      max_age: localAgeMaxMs * 1e6,
      discard: DiscardPolicy.Old,
    }),
    ...lanes.map((lane) => laneStream(lane, regionEpoch)),
    stream({
      name: regionStream.national(capitalEpoch),
      subjects: [regionSubject.nationalAll(capitalEpoch)],
      max_bytes: streamBytesMax.national,
    }),
    stream({
      name: regionStream.forRegion(capitalEpoch),
      subjects: [regionSubject.forRegionAll(capitalEpoch)],
      max_bytes: streamBytesMax.forRegion,
    }),
    regionSnapshotStream(capitalEpoch),
  ];
}

/**
 * The region's copy of SNAPSHOT, which may be made anew at any time.
 *
 * @param first sequence of its first message
 */
export function regionSnapshotStream(capitalEpoch: number, first = 1) {
  return stream({
    name: regionStream.snapshot(capitalEpoch),
    subjects: [regionSubject.snapshotAll(capitalEpoch)],
    max_bytes: streamBytesMax.snapshot,
    ...(first > 1 ? { first_seq: first } : {}),
  });
}

/** The hub's streams that speak for the capital. */
export function nationalStreams(capitalEpoch: number, replicas: number) {
  return [
    stream({
      name: hubStream.national(capitalEpoch),
      subjects: [hubSubject.nationalAll(capitalEpoch)],
      max_bytes: streamBytesMax.national,
      num_replicas: replicas,
      republish: {
        src: hubSubject.nationalAll(capitalEpoch),
        dest: hubSubject.live(hubSubject.nationalAll(capitalEpoch)),
      },
    }),
    stream({
      name: hubStream.snapshot(capitalEpoch),
      subjects: [hubSubject.snapshotAll(capitalEpoch)],
      max_bytes: streamBytesMax.snapshot,
      num_replicas: replicas,
    }),
  ];
}

/**
 * The hub's streams of one region, in these epochs. The next one is among them:
 * a fork needs no reload. Those long before it get little room, should they have
 * to be made anew (services/coordination/old-epochs.ts).
 */
export function hubStreamsOf(
  region: string,
  regionEpochs: readonly number[],
  capitalEpoch: number,
  replicas: number,
) {
  const forRegion = hubSubject.forRegionAll(region, capitalEpoch);
  const isOld = (epoch: number) => regionEpochs.filter((each) => each > epoch).length >= wholeEpochs;
  return [
    ...regionEpochs.flatMap((epoch) =>
      lanes.map((lane) =>
        stream({
          name: hubStream.up(lane, region, epoch),
          subjects: [hubSubject.upAll(lane, region, epoch)],
          max_bytes: isOld(epoch) ? streamBytesMax.oldLane : laneBytesMax(lane),
          num_replicas: replicas,
        }),
      ),
    ),
    stream({
      name: hubStream.forRegion(region, capitalEpoch),
      subjects: [forRegion],
      max_bytes: streamBytesMax.forRegion,
      num_replicas: replicas,
      republish: { src: forRegion, dest: hubSubject.live(forRegion) },
    }),
  ];
}

/** Creates the stream where it is missing; an existing one is left as it is. */
export async function ensureStream(manager: JetStreamManager, wanted: Configuration): Promise<void> {
  try {
    await manager.streams.info(wanted.name);
  } catch (error) {
    if (!(error instanceof Error) || !/stream not found/i.test(error.message)) throw error;
    await manager.streams.add(wanted);
  }
}

/** Last sequence of a stream in the server that we are connected to. */
export async function lastSequenceOf(manager: JetStreamManager, name: string): Promise<number> {
  return (await manager.streams.info(name)).state.last_seq;
}
