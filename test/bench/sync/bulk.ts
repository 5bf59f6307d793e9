import { createHash } from "node:crypto";
import { entryText, type Entry } from "#domain/national-rows.ts";
import { batchLimits, publishBatch, type Message } from "#platform/append.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import {
  NationalBatchDraft,
  type FinishedBatch,
} from "../../../services/coordination/domain/national-batch.ts";

const rowsPerMessage = 1_000;
const dayMs = 24 * 3_600_000;
const batchWaitMs = 30_000;

/** Messages of NATIONAL that accept an import, and the digest after each: what the capital makes of a million numbers. */
export function* importBatches(directives: number): Generator<FinishedBatch> {
  let sequence = 0;
  let digest: Uint8Array = new Uint8Array(32);
  for (let index = 0; index < directives; index += rowsPerMessage) {
    const draft = new NationalBatchDraft(sequence + 1, digest);
    for (let row = index; row < Math.min(directives, index + rowsPerMessage); row += 1) {
      const entry = entryOf(row, draft.sequence);
      draft.addRow({ row: { $case: "entry", value: entry } }, undefined, entryText(entry));
      draft.addDecision({
        ...{ region: "almaty", directive: entry.directive, revision: 1 },
        ...{ decision: "accepted", reason: "", missing: [] },
      });
    }
    const batch = draft.finish(Date.now());
    ({ sequence, digest } = batch);
    yield batch;
  }
}

export function entryOf(index: number, revision: number): Entry {
  const directive = `almaty-${identifierOf(index)}`;
  return {
    ...{ target: `+4420${String(70_000_000 + index)}`, slot: "measure", action: "warn", directive },
    ...{ reason: "fraud", expiresAtMs: Date.now() + dayMs, soleSupport: directive, revision },
    ...{ authorRole: "operator", falseStopOf: "" },
  };
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Of an identifier (ULID): its last characters are random, so it compresses as little as a real one. */
const randomCharacters = 16;

function identifierOf(index: number): string {
  const random = createHash("sha1").update(String(index)).digest();
  let identifier = "01KB6S5A00";
  for (let at = 0; at < randomCharacters; at += 1) identifier += crockford[(random[at] ?? 0) % 32];
  return identifier;
}

/** An event of the size of a directive issued singly. */
export function eventBytes(index: number): Uint8Array {
  const value = { batch: `almaty-${index}`, person: "p".repeat(180), role: "operator", reason: "r", atMs: 1 };
  return Event.encode({ outbox: index, atMs: 1, body: { $case: "batchRevocation", value } }).finish();
}

/** Stores messages under one subject, in batches: what is measured comes after it. */
export async function fill(
  connection: NatsConnection,
  subject: string,
  messages: readonly Uint8Array[],
): Promise<void> {
  let batch: Message[] = [];
  let bytes = 0;
  for (const [index, data] of messages.entries()) {
    batch.push({ subject, data });
    bytes += data.length;
    const isFull = batch.length >= batchLimits.messagesMax || bytes + data.length > batchLimits.bytesMax;
    if (!isFull && index < messages.length - 1) continue;
    await publishBatch(connection, batch, {}, batchWaitMs);
    batch = [];
    bytes = 0;
  }
}
