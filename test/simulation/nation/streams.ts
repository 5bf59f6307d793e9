import { hubStream, lanes, regionStream } from "#proto/names.ts";
import type { Truth } from "./truth.ts";
import type { Capital, Region, World } from "./world.ts";

/** Streams are as large as a run needs, but for those that are made small on purpose. */
export const streamBytesMax = 4 * 1024 * 1024;

/** The streams of the first epoch, as replication makes them by name. */
export function makeStreams({ store }: Region): void {
  for (const lane of lanes) store.streams.create(regionStream.lane(lane, 1), streamBytesMax);
  store.streams.create(regionStream.national(1), streamBytesMax);
  store.streams.create(regionStream.forRegion(1), streamBytesMax);
}

/**
 * The hub's streams, as coordination keeps them; NATIONAL and FOR are told live.
 *
 * @param epochsOf those of a region that are read
 */
export function makeHubStreams(
  { capital, regions, truth }: World,
  epochsOf: (region: string) => Iterable<number>,
): void {
  const { hub } = capital;
  const national = hub.streams.create(hubStream.national(1), streamBytesMax);
  national.republish ??= ({ sequence, data }) => {
    notePublished(truth, national.name, sequence);
    for (const region of regions) {
      if (region.line.isCut) continue;
      region.fromHub.tell(() => region.replicating?.offerNational(sequence, data));
      for (const replica of region.replicas)
        replica.fromHub.tell(() => replica.running?.offerLive(sequence, data));
    }
  };
  for (const region of regions) {
    const { name } = region;
    const forRegion = hub.streams.create(hubStream.forRegion(name, 1), streamBytesMax);
    forRegion.republish ??= ({ sequence, data }) => {
      notePublished(truth, forRegion.name, sequence);
      if (!region.line.isCut) region.fromHub.tell(() => region.replicating?.offerFor(sequence, data));
    };
    makeUpStreams(capital, region, epochsOf(name), truth);
  }
}

function notePublished({ published }: Truth, stream: string, sequence: number): void {
  published.set(stream, Math.max(published.get(stream) ?? 0, sequence));
}

function makeUpStreams(
  { hub }: Capital,
  { name: region, store }: Region,
  epochs: Iterable<number>,
  truth: Truth,
): void {
  for (const epoch of epochs) {
    for (const lane of lanes) {
      const copy = hub.streams.create(hubStream.up(lane, region, epoch), streamBytesMax);
      copy.republish ??= (message) =>
        truth.copied(copy, store.streams.find(regionStream.lane(lane, epoch)), message);
    }
  }
}
