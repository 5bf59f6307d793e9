import type { NatsConnection } from "#platform/nats.ts";
import { askWaitMs } from "./config.ts";
import type { Ends } from "./ends.ts";

/**
 * The two ends of a copied stream do not hold the same history. Going on would
 * mix two of them, so the lane stops until a person or a new epoch decides.
 */
export class Forked extends Error {
  override readonly name = "Forked";
}

/** Direct get of a stream in the server that we are connected to. */
export const localGet = (stream: string): string => `$JS.API.DIRECT.GET.${stream}`;
/** Information about a stream in the server that we are connected to. */
export const localInfo = (stream: string): string => `$JS.API.STREAM.INFO.${stream}`;

/**
 * Both ends hold the same bytes under a sequence, or one of them keeps it no
 * longer.
 *
 * @param here direct get of the region's stream
 * @param there direct get of the hub's stream, as the region names it
 * @throws Forked when both keep the message and its bytes differ
 */
export async function compareAt(ends: Ends, here: string, there: string, sequence: number): Promise<void> {
  if (sequence === 0) return;
  const [ours, theirs] = await Promise.all([
    messageAt(ends.region, here, sequence),
    messageAt(ends.line, there, sequence),
  ]);
  if (ours === undefined || theirs === undefined) return;
  if (Buffer.compare(ours, theirs) !== 0)
    throw new Forked(`message ${sequence} differs between region and hub`);
}

async function messageAt(
  connection: NatsConnection,
  subject: string,
  sequence: number,
): Promise<Uint8Array | undefined> {
  const answer = await connection.request(subject, JSON.stringify({ seq: sequence }), { timeout: askWaitMs });
  const code = answer.headers?.code ?? 0;
  if (code === 404) return undefined;
  if (code !== 0) throw new Error(`${subject} answered ${code} ${answer.headers?.description ?? ""}`);
  return answer.data;
}
