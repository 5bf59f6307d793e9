import type { Entry } from "./national-rows.ts";
import { sharedText } from "./shared-text.ts";
import type { Slot } from "./vocabulary.ts";

/** At most one entry a slot. It is replaced, never changed: who reads a moment may hold it. */
export type SlotBucket = Readonly<Record<Slot, Entry | undefined>>;

export const emptyBucket: SlotBucket = { measure: undefined, allow: undefined, observe: undefined };

/** Called for each entry found; see TargetIndex for `specific` and `width`. */
export type EntryVisitor = (entry: Entry, specific: number, width: number) => void;

export function withSlot(
  { measure, allow, observe }: SlotBucket,
  slot: Slot,
  entry: Entry | undefined,
): SlotBucket {
  return {
    measure: slot === "measure" ? entry : measure,
    allow: slot === "allow" ? entry : allow,
    observe: slot === "observe" ? entry : observe,
  };
}

/** Visits those that live at a time. */
export function visitLive(
  bucket: SlotBucket,
  nowMs: number,
  specific: number,
  width: number,
  visit: EntryVisitor,
): void {
  const { measure, allow, observe } = bucket;
  if (measure !== undefined && measure.expiresAtMs > nowMs) {
    visit(measure, specific, width);
  }
  if (allow !== undefined && allow.expiresAtMs > nowMs) {
    visit(allow, specific, width);
  }
  if (observe !== undefined && observe.expiresAtMs > nowMs) {
    visit(observe, specific, width);
  }
}

export function isSlot(text: string): text is Slot {
  return text === "measure" || text === "allow" || text === "observe";
}

/** A copy that shares its words with the other rows: a third of the memory of what a decoder makes. */
export function compactEntry(entry: Entry): Entry {
  const directive = entry.directive;
  return {
    target: entry.target,
    slot: sharedText(entry.slot),
    action: sharedText(entry.action),
    directive,
    reason: sharedText(entry.reason),
    expiresAtMs: entry.expiresAtMs,
    soleSupport: entry.soleSupport === directive ? directive : entry.soleSupport,
    revision: entry.revision,
    authorRole: sharedText(entry.authorRole),
    falseStopOf: entry.falseStopOf,
  };
}
