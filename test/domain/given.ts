import type { CallDescription, RoamingAnswer } from "#domain/call.ts";
import { callQuestion } from "#domain/call.ts";
import { collect } from "#domain/collect.ts";
import type { Decided } from "#domain/decision.ts";
import { decide } from "#domain/decision.ts";
import type { Entry, NationalChange, NationalRow } from "#domain/national-rows.ts";
import { NationalTable } from "#domain/national-table.ts";
import type { OverlayDirective } from "#domain/overlay-events.ts";
import { Overlay } from "#domain/overlay.ts";
import type { TrunkDirection } from "#domain/trunk.ts";
import type { Action } from "#domain/vocabulary.ts";
import { slotOf } from "#domain/vocabulary.ts";

export const nowMs = 1_800_000_000_000;
export const laterMs = nowMs + 86_400_000;
export const region = "astana";

/** The national entry of a directive `almaty-<letter>`, live unless said otherwise. */
export function entry(target: string, action: Action, change: Partial<Entry> = {}): Entry {
  const directive = change.directive ?? "almaty-1";
  return {
    target,
    slot: slotOf(action),
    action,
    directive,
    reason: "fraud",
    expiresAtMs: laterMs,
    soleSupport: directive,
    revision: 1,
    authorRole: "regional-prosecutor",
    falseStopOf: "",
    ...change,
  };
}

export function entryRow(...given: Parameters<typeof entry>): NationalRow {
  return { row: { $case: "entry", value: entry(...given) } };
}

export function protectedRow(number: string, ...originatesFrom: string[]): NationalRow {
  return {
    row: { $case: "protectedNumber", value: { number, originatesFrom, holder: "Sample Bank", revision: 1 } },
  };
}

/** An own directive of this region, in force in the overlay unless said otherwise. */
export function own(
  target: string,
  action: Action,
  change: Partial<OverlayDirective> = {},
): OverlayDirective {
  return {
    id: `${region}-1`,
    revision: 1,
    target,
    action,
    scope: "nation",
    reason: "fraud",
    authorRole: "operator",
    expiresAtMs: laterMs,
    overrideRevision: 0,
    batch: "",
    revoked: false,
    missing: [],
    falseStopOf: "",
    ...change,
  };
}

export function batchOf(
  sequence: number,
  rows: NationalRow[],
  change: Partial<NationalChange> = {},
): NationalChange {
  return {
    sequence,
    atMs: nowMs,
    rows,
    decisions: [],
    digestAfter: new Uint8Array(),
    revokedBatches: [],
    ...change,
  };
}

export function tableOf(rows: NationalRow[]): NationalTable {
  const table = new NationalTable(region);
  table.apply(batchOf(1, rows));
  return table;
}

export function overlayOf(directives: OverlayDirective[]): Overlay {
  const overlay = new Overlay(region);
  const body = { $case: "directives", value: { directives } } as const;
  overlay.applyEvent({ body }, { lane: "urgent", sequence: 1 });
  return overlay;
}

/** A call to an ordinary subscriber on an international trunk, unless said otherwise. */
export interface GivenCall extends Partial<CallDescription> {
  direction?: TrunkDirection | undefined;
  roaming?: RoamingAnswer;
}

const directions: Readonly<Record<string, TrunkDirection>> = {
  "intl-1": "international",
  "intl-2": "international",
  "dom-1": "domestic",
  "dom-2": "domestic",
};

export const appealLine = "+77172710000";

export function judge(
  call: GivenCall,
  rows: NationalRow[],
  directives: OverlayDirective[],
  atMs = nowMs,
): Decided {
  const trunk = call.trunk ?? "intl-1";
  const question = callQuestion(
    {
      callingNumber: "",
      assertedNumber: "",
      calledNumber: "+77019990000",
      diversionNumber: "",
      ...call,
      trunk,
    },
    {
      direction: directions[trunk],
      appealLines: new Set([appealLine]),
      roaming: call.roaming ?? "unknown",
    },
  );
  return decide(question, collect(question, tableOf(rows), overlayOf(directives), atMs));
}
