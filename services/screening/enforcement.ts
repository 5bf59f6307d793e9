import { NationalTable } from "#domain/national-table.ts";
import { Overlay } from "#domain/overlay.ts";
import type { StopSetting } from "#domain/overlay-events.ts";
import type { Trunk } from "#domain/trunk.ts";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { firstEpoch, type Lane } from "#proto/names.ts";
import type { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { appliedPerReceiptMax, endedKeptMs } from "./config.ts";
import { AppliedLog } from "./domain/applied-log.ts";

/** Ends of the streams as they were read at the start: ready when all are reached. */
export interface StartEnds {
  readonly national: number;
  readonly events: number;
  readonly urgent: number;
}

/** Stop switches and trunks as they were turned last. */
export interface KeptSwitches {
  readonly trunks: readonly Trunk[];
  readonly stops: readonly StopSetting[];
  /** The nation's stop, and the sequence of NATIONAL that turned it; 0: nobody has. */
  readonly nation: { readonly stopped: boolean; readonly sequence: number };
}

/**
 * What this replica enforces: the national table and the region's overlay, in
 * memory, changed in one synchronous step per message, so that a question
 * never sees half of one.
 */
export class Enforcement {
  readonly region: string;
  readonly nationalEpoch = firstEpoch;
  readonly applied = new AppliedLog(appliedPerReceiptMax);
  readonly #log: Log;
  readonly #changed: () => void;
  /** Epoch of the lanes in which the overlay's sequences count. */
  #regionEpoch = firstEpoch;
  #table: NationalTable;
  #overlay: Overlay;
  /** The overlay is the region's own, not the empty one of a first start. */
  #overlayLoaded = false;
  #ends: StartEnds | undefined;
  #ready = false;
  #diverged = "";
  #mismatches = 0;
  #changes = 0;
  /** The nation's stop as it was kept, for as long as the table is older. */
  #keptStop: KeptSwitches["nation"] = { stopped: false, sequence: 0 };
  /** Somebody turned a switch: it is to be kept at once. */
  readonly switched = new Wake();

  /** @param changed called after each change that a receipt tells about */
  constructor(region: string, log: Log, changed: () => void) {
    this.region = region;
    this.#log = log;
    this.#changed = () => {
      this.#changes += 1;
      changed();
    };
    this.#table = new NationalTable(region);
    this.#overlay = new Overlay(region);
  }

  get table(): NationalTable {
    return this.#table;
  }

  get regionEpoch(): number {
    return this.#regionEpoch;
  }

  get overlay(): Overlay {
    return this.#overlay;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Whether table and overlay are there: before that a snapshot would say less than is in force. */
  get isWhole(): boolean {
    return this.#overlayLoaded;
  }

  /** Why the table is known to differ from the nation's; empty while it does not. */
  get diverged(): string {
    return this.#diverged;
  }

  /** Batches after which the digest was not the nation's. */
  get mismatches(): number {
    return this.#mismatches;
  }

  /** Changes of table and overlay since the start, those that only move a sequence left out. */
  get changes(): number {
    return this.#changes;
  }

  /** Whether the nation's stop switch is on. */
  get nationStopped(): boolean {
    const kept = this.#keptStop;
    return this.#table.sequence < kept.sequence ? kept.stopped : this.#table.stopped;
  }

  get switches(): KeptSwitches {
    const { stop, sequence } = this.#table;
    const isOlder = sequence < this.#keptStop.sequence;
    const nation = { stopped: stop?.stopped ?? false, sequence: stop?.revision ?? 0 };
    return {
      trunks: [...this.#overlay.trunks()],
      stops: [...this.#overlay.stops()],
      nation: isOlder ? this.#keptStop : nation,
    };
  }

  /** Takes switches that were turned after the snapshot was written; of each the latest counts. */
  restoreSwitches({ trunks, stops, nation }: KeptSwitches): void {
    const nowhere = { lane: "urgent", sequence: 0 } as const;
    for (const { id, ...rest } of trunks) {
      this.#overlay.applyEvent({ body: { $case: "trunkSet", value: { trunk: id, ...rest } } }, nowhere);
    }
    for (const value of stops) this.#overlay.applyEvent({ body: { $case: "regionStop", value } }, nowhere);
    this.#keptStop = nation;
  }

  /** What is still missing before this replica is ready. */
  get waitsFor(): string {
    if (this.#ready) return "";
    if (!this.#overlayLoaded) return "the overlay from centre";
    if (this.#ends === undefined) return "the region's streams";
    const { national, events, urgent } = this.#ends;
    const { eventsSequence, urgentSequence } = this.#overlay;
    return `NATIONAL ${this.#table.sequence} of ${national}, EVENTS ${eventsSequence} of ${events}, URGENT ${urgentSequence} of ${urgent}`;
  }

  /** Takes what a snapshot held; both are true for the same moment. */
  restore(snapshot: {
    readonly table: NationalTable;
    readonly overlay: Overlay;
    readonly regionEpoch: number;
  }): void {
    this.#table = snapshot.table;
    this.#overlay = snapshot.overlay;
    this.#regionEpoch = snapshot.regionEpoch;
    this.#overlayLoaded = true;
  }

  /** From here on the replica is ready when it has reached these ends. */
  setEnds(ends: StartEnds): void {
    this.#ends = ends;
    this.#readyPerhaps();
  }

  /** Another overlay, whole: what the nation has decided already is taken out of it at once. */
  replaceOverlay(overlay: Overlay, regionEpoch: number): void {
    tellDecisions(this.#table, overlay);
    this.#overlay = overlay;
    // Sequences of another epoch prove nothing in this one.
    if (regionEpoch !== this.#regionEpoch) this.applied.forgetLanes();
    this.#regionEpoch = regionEpoch;
    this.#overlayLoaded = true;
    this.switched.notify();
    this.#readyPerhaps();
    this.#changed();
  }

  /**
   * Another table, at least as far as this one: what the nation took over in
   * between leaves the overlay in the same step.
   */
  replaceTable(table: NationalTable, digestIsRight: boolean): void {
    tellDecisions(table, this.#overlay);
    if (table.sequence > this.#table.sequence) this.applied.add("NATIONAL", table.sequence, Date.now());
    this.#table = table;
    this.#setDiverged(digestIsRight ? "" : "the rebuilt table has not the nation's digest either");
    this.switched.notify();
    this.#readyPerhaps();
    this.#changed();
  }

  /**
   * Applies the next batch to table and overlay in one step: what the nation
   * took over leaves the overlay exactly when it comes into the table.
   *
   * @returns whether the table has the nation's digest now
   * @throws WrongSequence when the batch is not the next
   */
  applyNational(batch: NationalBatch): boolean {
    const digestIsRight = this.#table.apply(batch);
    this.#overlay.applyDecisions(batch);
    this.applied.add("NATIONAL", batch.sequence, Date.now());
    if (!digestIsRight) this.#mismatches += 1;
    this.#setDiverged(digestIsRight ? "" : `the digest differs since NATIONAL ${batch.sequence}`);
    if (batch.rows.some(({ row }) => row?.$case === "stop")) this.switched.notify();
    this.#readyPerhaps();
    this.#changed();
    return digestIsRight;
  }

  /** Applies the next event of a lane; most are about other things and move the sequence alone. */
  applyEvent(lane: Lane, sequence: number, event: Event): void {
    this.#overlay.applyEvent(event, { lane, sequence });
    this.#readyPerhaps();
    // Receipts are events themselves: one about a receipt would never end.
    if (!concernsOverlay(event)) return;
    this.applied.add(lane === "events" ? "EVENTS" : "URGENT", sequence, Date.now());
    if (event.body?.$case === "trunkSet" || event.body?.$case === "regionStop") this.switched.notify();
    this.#changed();
  }

  /** Forgets what ended long ago; nothing that arrives can be about it any more. */
  forgetOld(nowMs: number): void {
    this.#overlay.forgetBefore(nowMs - endedKeptMs);
    this.#table.forgetDecisionsBefore(nowMs - endedKeptMs);
  }

  #setDiverged(why: string): void {
    if ((why === "") !== (this.#diverged === "")) {
      const level = why === "" ? "info" : "error";
      const event = why === "" ? "table-agrees-again" : "table-diverged";
      this.#log[level]({ event, sequence: this.#table.sequence, why }, "the national table");
    }
    // The first sequence that differed says more than the latest.
    this.#diverged = why === "" || this.#diverged === "" ? why : this.#diverged;
  }

  #readyPerhaps(): void {
    if (this.#ready || !this.#overlayLoaded || this.#ends === undefined) return;
    const reached =
      this.#table.sequence >= this.#ends.national &&
      this.#overlay.eventsSequence >= this.#ends.events &&
      this.#overlay.urgentSequence >= this.#ends.urgent;
    if (!reached) return;
    this.#ready = true;
    this.#log.info({ event: "ready", sequence: this.#table.sequence, entries: this.#table.size }, "ready");
    this.#changed();
  }
}

/** What a table remembers as decided goes out of an overlay. */
function tellDecisions(table: NationalTable, overlay: Overlay): void {
  for (const decision of table.decisions()) {
    const { sequence, atMs } = decision;
    overlay.applyDecisions({ sequence, atMs, decisions: [decision], revokedBatches: [] });
  }
  const revokedBatches = table.revokedBatches();
  overlay.applyDecisions({ sequence: table.sequence, atMs: 0, decisions: [], revokedBatches });
}

/** Bodies that change the overlay. */
const overlayBodies: ReadonlySet<string> = new Set([
  "directives",
  "approval",
  "batchRevocation",
  "trunkSet",
  "regionStop",
] satisfies NonNullable<Event["body"]>["$case"][]);

function concernsOverlay({ body }: Event): boolean {
  return body !== undefined && overlayBodies.has(body.$case);
}
