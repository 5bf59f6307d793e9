import type { Applied, Receipt } from "#proto/qalqan/events/v1/events.ts";

/** Who a replica is, for receipts. */
export interface Replica {
  readonly region: string;
  readonly replica: string;
  readonly bootId: string;
  readonly release: string;
}

/** What a replica enforces, as far as receipts tell. */
export interface Told {
  readonly table: { readonly sequence: number; readonly digest: Uint8Array };
  readonly nationalEpoch: number;
  readonly regionEpoch: number;
  readonly ready: boolean;
  /** Of lanes that may be others now nothing is proven. */
  readonly provenSequences: { readonly events: number; readonly urgent: number };
  /** How often the lanes turned out to be others under the same sequences. */
  readonly histories: number;
  takeApplied(): Applied[];
}

/** The receipt that is due; what was applied since the last one is taken with it. */
export function receiptOf(replica: Replica, told: Told, atMs: number): Receipt {
  const { table, nationalEpoch, regionEpoch, ready, provenSequences, histories } = told;
  return {
    ...replica,
    // Where lanes turned out to be others this replica begins anew in them, as after a restart.
    bootId: histories === 0 ? replica.bootId : `${replica.bootId}.${histories}`,
    ready,
    nationalEpoch,
    nationalSequence: table.sequence,
    digest: Buffer.from(table.digest),
    regionEpoch,
    eventsSequence: provenSequences.events,
    urgentSequence: provenSequences.urgent,
    applied: told.takeApplied(),
    atMs,
  };
}
