import { createHash } from "node:crypto";

/**
 * Names a stored message, wherever it stands: SHA-256 over its subject, a zero
 * byte and its data. A sequence alone does not: a store that came back from an
 * older copy gives the same ones again.
 */
export function messageHash({
  subject,
  data,
}: {
  readonly subject: string;
  readonly data: Uint8Array;
}): Buffer {
  return createHash("sha256").update(subject).update("\0").update(data).digest();
}
