import { Overlay } from "#domain/overlay.ts";
import type { TlsIdentity } from "#platform/config.ts";
import { channelCredentials, channelOptions, read } from "#platform/grpc-client.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { CentreClient, type OverlayHeader } from "#proto/qalqan/centre/v1/centre.ts";
import { overlayWaitMs, retryMs } from "./config.ts";
import type { LaneHashes } from "./enforcement.ts";

/** An overlay, and the messages of the lanes that it is true for. */
export interface WholeOverlay {
  readonly overlay: Overlay;
  readonly lastOfLanes: LaneHashes;
}

/**
 * Loads the region's whole overlay from its centre, trying until centre answers
 * with what is true in this epoch of the lanes.
 *
 * @throws the signal's reason when it aborts first
 */
export async function loadOverlay(
  region: string,
  centreAddress: string,
  tls: TlsIdentity,
  regionEpoch: number,
  log: Log,
  signal: AbortSignal,
): Promise<WholeOverlay> {
  const client = new CentreClient(centreAddress, channelCredentials(tls), channelOptions);
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        const whole = await readOverlay(client, region, regionEpoch);
        const { overlay } = whole;
        const { eventsSequence, urgentSequence } = overlay;
        log.info(
          { event: "overlay-loaded", entries: overlay.size, eventsSequence, urgentSequence },
          "overlay loaded",
        );
        return whole;
      } catch (error) {
        log.info({ event: "overlay-awaited", reason: String(error) }, "waiting for the overlay from centre");
        await pause(retryMs, signal);
      }
    }
  } finally {
    client.close();
  }
}

async function readOverlay(client: CentreClient, region: string, regionEpoch: number): Promise<WholeOverlay> {
  const overlay = new Overlay(region);
  let header: OverlayHeader | undefined;
  let parts = 0;
  for await (const { part } of read(client.getOverlay({}, { deadline: Date.now() + overlayWaitMs }))) {
    if (part?.$case === "header") {
      header = part.value;
      // Lanes go over to another epoch at the same time for all; who sees it first waits for the other.
      if (header.regionEpoch !== regionEpoch)
        throw new Error(`centre answers for epoch ${header.regionEpoch}, the lanes are in ${regionEpoch}`);
    } else if (part?.$case === "event") {
      // The header says what all parts together are true for.
      overlay.applyEvent(part.value, { lane: "events", sequence: 0 });
      parts += 1;
    }
  }
  if (header === undefined || parts !== header.parts) {
    throw new Error(`centre's overlay was cut short: ${parts} of ${header?.parts ?? "unknown"} parts`);
  }
  overlay.advance({ lane: "events", sequence: header.eventsSequence });
  overlay.advance({ lane: "urgent", sequence: header.urgentSequence });
  const hashOf = (hash: Uint8Array) => (hash.length === 0 ? undefined : Buffer.from(hash));
  return { overlay, lastOfLanes: { events: hashOf(header.eventsHash), urgent: hashOf(header.urgentHash) } };
}
