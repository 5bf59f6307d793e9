import type { NatsConnection } from "#platform/nats.ts";
import { untilAborted } from "#platform/lifecycle.ts";
import { hubSubject } from "#proto/names.ts";
import { Event, type Receipt } from "#proto/qalqan/events/v1/events.ts";

/**
 * Hears receipts as they come in, until the signal: in its lane a receipt of a
 * region that imports stands behind the import, and would come too late to
 * set the pace. What counts is read from the lane all the same.
 */
export async function hearReceipts(
  connection: NatsConnection,
  heard: (region: string, receipt: Receipt) => void,
  signal: AbortSignal,
): Promise<void> {
  const subscription = connection.subscribe(hubSubject.upReceipts, {
    callback: (error, message) => {
      if (error !== null) return;
      const region = message.subject.split(".")[1] ?? "";
      const receipt = receiptOf(message.data);
      if (receipt?.region === region) heard(region, receipt);
    },
  });
  await untilAborted(signal);
  subscription.unsubscribe();
}

/** Undefined: these bytes are none; the lane's reader counts and names them. */
function receiptOf(data: Uint8Array): Receipt | undefined {
  try {
    const { body } = Event.decode(data);
    return body?.$case === "receipt" ? body.value : undefined;
  } catch {
    return undefined;
  }
}
