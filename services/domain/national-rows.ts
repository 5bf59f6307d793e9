import type { Decision } from "./opinion.ts";

/** What the nation enforces on one target in one slot (events.Entry). */
export interface Entry {
  /** Canonical target key. */
  target: string;
  /** measure | allow | observe */
  slot: string;
  action: string;
  /** The oldest opinion with that action. */
  directive: string;
  reason: string;
  /** The latest end among the opinions with that action; milliseconds since 1970. */
  expiresAtMs: number;
  /** Id of the only opinion with that action, or empty. */
  soleSupport: string;
  /** Sequence in NATIONAL of the batch that last changed it, or the opinions that count behind it. */
  revision: number;
  authorRole: string;
  /** The directive that an operator's allow after a false stop beats, or empty. */
  falseStopOf: string;
}

/** A number that originates from its own trunks alone (events.ProtectedNumber). */
export interface ProtectedNumber {
  number: string;
  /** Trunk ids where it really originates, or `international`. */
  originatesFrom: string[];
  holder: string;
  revision: number;
}

/** The stop switch of the nation (events.NationalStop). */
export interface NationalStop {
  stopped: boolean;
  person: string;
  atMs: number;
  revision: number;
}

/** A change of one row of the national table (events.NationalRow). */
export interface NationalRow {
  row:
    | { $case: "entry"; value: Entry }
    /** rowKey of the row that ends. */
    | { $case: "removed"; value: string }
    | { $case: "protectedNumber"; value: ProtectedNumber }
    | { $case: "stop"; value: NationalStop }
    /** A kind of row that only a newer release knows. */
    | undefined;
}

/** The part of a batch of NATIONAL that changes table and overlay (events.NationalBatch). */
export interface NationalChange {
  sequence: number;
  atMs: number;
  rows: NationalRow[];
  decisions: Decision[];
  /** 32 bytes. */
  digestAfter: Uint8Array;
  revokedBatches: string[];
}

/** Key of the one row that holds the stop switch. */
export const stopRowKey = "stop";

/** Key of an entry's row: `measure|+77012345678`. */
export function entryRowKey(slot: string, target: string): string {
  return `${slot}|${target}`;
}

/** Key of a protected number's row: `protected|+77272000000`. */
export function protectedRowKey(number: string): string {
  return `protected|${number}`;
}

/** The key that names a row, in `removed` too; undefined for a row that this release does not know. */
export function rowKey(row: NationalRow): string | undefined {
  switch (row.row?.$case) {
    case "entry":
      return entryRowKey(row.row.value.slot, row.row.value.target);
    case "protectedNumber":
      return protectedRowKey(row.row.value.number);
    case "stop":
      return stopRowKey;
    case "removed":
      return row.row.value;
    case undefined:
      return undefined;
  }
}

/**
 * Canonical text of a row, what its digest is taken over. The order of fields
 * is final: releases N and N−1 must agree. A later field is appended, and only
 * where it is not empty.
 */
export function entryText(entry: Entry): string {
  return JSON.stringify([
    "entry",
    entry.target,
    entry.slot,
    entry.action,
    entry.directive,
    entry.reason,
    entry.expiresAtMs,
    entry.soleSupport,
    entry.revision,
    entry.authorRole,
    entry.falseStopOf,
  ]);
}

/** See entryText; the trunks as a set, sorted by code unit. */
export function protectedText(row: ProtectedNumber): string {
  return JSON.stringify(["protected", row.number, [...row.originatesFrom].sort(), row.holder, row.revision]);
}

/** See entryText. */
export function stopText(stop: NationalStop): string {
  return JSON.stringify(["stop", stop.stopped, stop.person, stop.atMs, stop.revision]);
}
