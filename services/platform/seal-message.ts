import type { Seal } from "#domain/seal.ts";
import type { Seal as SealMessage } from "#proto/qalqan/events/v1/sync.ts";

/** A seal as it is written into a stream. */
export function sealMessage(seal: Seal): SealMessage {
  return {
    ...seal,
    previous: Buffer.from(seal.previous),
    root: Buffer.from(seal.root),
    signature: Buffer.from(seal.signature),
  };
}
