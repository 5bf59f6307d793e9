import type { Alarms } from "./alarms.ts";

/** From this share of its size on a stream is nearly full. */
const nearlyFullShare = 0.8;
/** From this share on it is full: the next larger message is refused. */
const fullShare = 0.99;

/**
 * Raises or ends the alarms about how full a stream is that refuses at its limit.
 *
 * @param share of the bytes that it may take
 */
export function tellFullness(alarms: Alarms, stream: string, share: number): void {
  if (share >= fullShare)
    alarms.raise("stream-full", stream, `${stream} is full: what comes next is refused`);
  else alarms.clear("stream-full", stream);
  if (share >= nearlyFullShare && share < fullShare) {
    const percent = Math.floor(share * 20) * 5;
    alarms.raise("stream-nearly-full", stream, `${stream} is full to ${percent} % or more of its size`);
  } else alarms.clear("stream-nearly-full", stream);
}
