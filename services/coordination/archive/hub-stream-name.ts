import type { ArchivedStream } from "#platform/archive/segment.ts";

const lane = /^(UPU?)_([a-z][a-z-]*)_(\d+)$/;
const national = /^NATIONAL_(\d+)$/;

/** What a stream of the hub is called in the archive; undefined: it is not archived. */
export function archivedAs(hubStream: string, capital: string): ArchivedStream | undefined {
  const [, token, site, laneEpoch] = lane.exec(hubStream) ?? [];
  if (site !== undefined)
    return { site, stream: token === "UP" ? "events" : "urgent", epoch: Number(laneEpoch) };
  const [, epoch] = national.exec(hubStream) ?? [];
  return epoch === undefined ? undefined : { site: capital, stream: "national", epoch: Number(epoch) };
}
