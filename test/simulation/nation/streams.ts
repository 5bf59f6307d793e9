import { hubStream, lanes, regionStream } from "#proto/names.ts";
import type { Region, World } from "./world.ts";

/** Streams are as large as a run needs, but for those that are made small on purpose. */
export const streamBytesMax = 4 * 1024 * 1024;

/** The streams of the first epoch, as replication makes them by name. */
export function makeStreams({ store }: Region): void {
  for (const lane of lanes) store.streams.create(regionStream.lane(lane, 1), streamBytesMax);
  store.streams.create(regionStream.national(1), streamBytesMax);
  store.streams.create(regionStream.forRegion(1), streamBytesMax);
}

/** The hub's streams, as coordination keeps them; NATIONAL and FOR are told live. */
export function makeHubStreams({ capital: { hub }, regions }: World, epochs: number): void {
  const national = hub.streams.create(hubStream.national(1), streamBytesMax);
  national.republish ??= ({ sequence, data }) => {
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
      if (!region.line.isCut) region.fromHub.tell(() => region.replicating?.offerFor(sequence, data));
    };
    for (let epoch = 1; epoch <= epochs; epoch += 1) {
      for (const lane of lanes) hub.streams.create(hubStream.up(lane, name, epoch), streamBytesMax);
    }
  }
}
