import { createHash } from "node:crypto";
import { Event, NationalBatch, RegionBatch } from "#proto/qalqan/events/v1/events.ts";

/** What bytes decode to, once for all who read them: nobody writes into it. */
function remembering<Message>(decode: (bytes: Uint8Array) => Message): (bytes: Uint8Array) => Message {
  const known = new WeakMap<Uint8Array, Message>();
  return (bytes) => {
    const found = known.get(bytes);
    if (found !== undefined) return found;
    const decoded = decode(bytes);
    known.set(bytes, decoded);
    return decoded;
  };
}

export const decodeEvent = remembering((bytes) => Event.decode(bytes));
export const decodeNational = remembering((bytes) => NationalBatch.decode(bytes));
export const decodeRegionBatch = remembering((bytes) => RegionBatch.decode(bytes));

/** Names an encoded event, whatever its outbox number; once for all who ask. */
export const contentOfMessage = remembering((bytes) =>
  createHash("sha256")
    .update(Event.encode({ ...decodeEvent(bytes), outbox: 0 }).finish())
    .digest("hex"),
);

/** Whether centre wrote it, also where it was fed again. */
export function isOwn({ subject }: { readonly subject: string }): boolean {
  return subject.startsWith("centre.") || subject.startsWith("refeed.centre.");
}

/** Whether two messages hold the same bytes. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left === right || Buffer.compare(left, right) === 0;
}
