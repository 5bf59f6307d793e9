import { SetDigest } from "#domain/digest.ts";
import { emptyMemory, type FoldMemory } from "#domain/fold.ts";
import {
  entryRowKey,
  entryText,
  protectedText,
  stopText,
  type NationalStop,
  type ProtectedNumber,
} from "#domain/national-rows.ts";
import { regionOfId, slots, type Slot } from "#domain/vocabulary.ts";
import { Intelligence, type NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { noChanges, type Changes } from "./changes.ts";

/** What PostgreSQL has of what a message of NATIONAL speaks of. */
export interface KnownBefore {
  readonly digest: Uint8Array;
  /** By target. */
  readonly memories: ReadonlyMap<string, FoldMemory>;
  /** Batch of a directive; undefined: it was issued singly, or is not known yet. */
  readonly batchOf: (directive: string) => string | undefined;
  readonly protectedNumbers: ReadonlyMap<string, ProtectedNumber>;
  readonly stop: NationalStop | undefined;
  readonly audienceOf: (intelligence: string) => string | undefined;
}

/** Targets whose rows a message changes. */
export function targetsOf({ rows }: NationalBatch): string[] {
  const targets = rows.flatMap(({ row }) => {
    if (row?.$case === "entry") return [row.value.target];
    return row?.$case === "removed" ? (entryKey(row.value)?.target ?? []) : [];
  });
  return [...new Set(targets)];
}

/**
 * What a message of NATIONAL that PostgreSQL has lost changes there: its own
 * history, taken back from the hub. The opinions behind it come again from the
 * lanes, and are folded into the same.
 *
 * What it changes is folded once more when the lanes were read again: work that
 * an order or a revocation had asked for may have been lost.
 *
 * @param bytes of the message, as the hub has it
 * @returns undefined when the table after it has not the digest that it names: then it is another history
 */
export function recoveredChanges(
  batch: NationalBatch,
  bytes: Uint8Array,
  known: KnownBefore,
): Changes | undefined {
  const changes = noChanges(batch.atMs);
  const digest = SetDigest.from(known.digest);
  const memories = new Map<string, FoldMemory>();
  const memoryOf = (target: string) => memories.get(target) ?? known.memories.get(target) ?? emptyMemory;
  const replace = (target: string, slot: Slot, after: FoldMemory["entries"][Slot]) => {
    const memory = memoryOf(target);
    const before = memory.entries[slot];
    if (before !== undefined) digest.remove(entryText(before));
    if (after !== undefined) digest.add(entryText(after));
    memories.set(target, movedMemory(memory, slot, after, batch));
  };
  for (const { row } of batch.rows) {
    switch (row?.$case) {
      case "entry": {
        const slot = slots.find((each) => each === row.value.slot);
        if (slot === undefined) return undefined;
        replace(row.value.target, slot, row.value);
        break;
      }
      case "protectedNumber": {
        const before = known.protectedNumbers.get(row.value.number);
        if (before !== undefined) digest.remove(protectedText(before));
        digest.add(protectedText(row.value));
        changes.protectedNumbers.push(row.value);
        break;
      }
      case "stop":
        if (known.stop !== undefined) digest.remove(stopText(known.stop));
        digest.add(stopText(row.value));
        changes.stop = row.value;
        break;
      case "removed": {
        const entry = entryKey(row.value);
        if (entry !== undefined) {
          replace(entry.target, entry.slot, undefined);
          break;
        }
        const number = row.value.slice(row.value.indexOf("|") + 1);
        const before = known.protectedNumbers.get(number);
        if (before !== undefined) digest.remove(protectedText(before));
        changes.unprotectedNumbers.push(number);
        break;
      }
      case undefined:
        return undefined;
      default:
        return row satisfies never;
    }
  }
  if (!digest.equals(batch.digestAfter)) return undefined;
  changes.memories = memories;
  changes.decisions = batch.decisions.map((each) => ({
    ...each,
    batch: known.batchOf(each.directive) ?? "",
  }));
  for (const id of batch.revokedBatches) changes.batchRevocations.push(revocation(id, batch.atMs));
  changes.newJobs.push(...jobsAfter(batch, changes));
  takeIntelligence(batch, known, changes);
  const { sequence, atMs, digestAfter, rows } = batch;
  changes.batch = { sequence, atMs, digest: digestAfter, bytes, rows: rows.length };
  return changes;
}

/**
 * What the fold remembers of a target after its rows were taken back. An
 * override named the revision before; what it overrode is said by the decisions
 * beside the row.
 */
function movedMemory(
  memory: FoldMemory,
  slot: Slot,
  after: FoldMemory["entries"][Slot],
  { sequence, decisions }: NationalBatch,
): FoldMemory {
  const { [slot]: _, ...others } = memory.entries;
  const entries = after === undefined ? others : { ...others, [slot]: after };
  const overridden = decisions
    .filter(({ reason }) => reason === "overridden")
    .map(({ directive, revision }) => `${directive}#${revision}`);
  const overrides = { ...memory.overrides };
  if (overridden.length > 0 && after !== undefined)
    overrides[`${after.directive}@${memory.revision}`] = "overrode";
  return {
    ...{ revision: after?.revision ?? sequence, entries, counting: {}, behind: [], overrides },
    overridden: [...new Set([...memory.overridden, ...overridden])].toSorted(),
  };
}

function entryKey(key: string): { readonly slot: Slot; readonly target: string } | undefined {
  const slot = slots.find((each) => key.startsWith(entryRowKey(each, "")));
  return slot === undefined ? undefined : { slot, target: key.slice(entryRowKey(slot, "").length) };
}

function jobsAfter(batch: NationalBatch, { protectedNumbers, unprotectedNumbers }: Changes) {
  const numbers = [...protectedNumbers.map(({ number }) => number), ...unprotectedNumbers];
  return [
    ...batch.revokedBatches.map((key) => ({ kind: "batch", key, urgent: true }) as const),
    ...numbers.map((key) => ({ kind: "number", key, urgent: true }) as const),
    ...targetsOf(batch).map((key) => ({ kind: "target", key, urgent: false }) as const),
  ];
}

/** Who revoked it stands in the region's lane, and in its audit. */
function revocation(batch: string, atMs: number) {
  return { batch, person: "", role: "", reason: "recovered", atMs };
}

function takeIntelligence(batch: NationalBatch, known: KnownBefore, changes: Changes): void {
  for (const { intelligence: piece } of batch.intelligence) {
    if (piece === undefined) continue;
    const { id, revision, audience } = piece;
    const body = Intelligence.encode(piece).finish();
    changes.intelligence.push({ id, region: regionOfId(id), revision, withdrawn: false, audience, body });
  }
  for (const { id, revision, audience: said } of batch.intelligenceWithdrawn) {
    const audience = known.audienceOf(id) ?? said;
    const withdrawn = { id, region: regionOfId(id), revision, withdrawn: true, audience };
    changes.intelligence.push({ ...withdrawn, body: undefined });
  }
}
