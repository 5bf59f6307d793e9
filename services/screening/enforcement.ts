import { NationalTable } from "#domain/national-table.ts";
import { Overlay } from "#domain/overlay.ts";
import type { StopSetting } from "#domain/overlay-events.ts";
import type { Trunk } from "#domain/trunk.ts";
import type { CopiedMessage } from "#platform/batch-get.ts";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { messageHash } from "#platform/message-hash.ts";
import { firstEpoch, type Lane } from "#proto/names.ts";
import type { Applied, Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { appliedPerReceiptMax, bulkRowsMin, endedKeptMs } from "./config.ts";
import { AppliedLog } from "./domain/applied-log.ts";
import { waitsFor, type StartEnds } from "./domain/start.ts";

/** Names the message of each lane that was applied last (messageHash); undefined: not known. */
export type LaneHashes = Readonly<Record<Lane, Buffer | undefined>>;

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
  readonly #changed: (isBulk?: boolean) => void;
  readonly #nowMs: () => number;
  /** Epoch of the lanes in which the overlay's sequences count. */
  #regionEpoch = firstEpoch;
  #table: NationalTable;
  #overlay: Overlay;
  /** The overlay is the region's own, not the empty one of a first start. */
  #overlayLoaded = false;
  #ends: StartEnds | undefined;
  #hasOwnTable = false;
  #capital: number | undefined;
  #isCapitalSilent = false;
  #ready = false;
  /** Why it is ready although it could not read on from its own snapshot; empty: it could. */
  #standsAlone = "";
  /** The message of each lane that was applied last, or what it is named by. */
  #lastOfLanes: Record<Lane, CopiedMessage | Buffer | undefined> = { urgent: undefined, events: undefined };
  /** The lanes were seen to hold what was applied of them since the server was there last. */
  #lanesProven = false;
  /** How often the lanes turned out to be others under the same sequences. */
  #histories = 0;
  #diverged = "";
  #mismatches = 0;
  #changes = 0;
  /** The nation's stop as it was kept, for as long as the table is older. */
  #keptStop: KeptSwitches["nation"] = { stopped: false, sequence: 0 };
  /** Somebody turned a switch: it is to be kept at once. */
  readonly switched = new Wake();

  /**
   * @param changed called after each change that a receipt tells about, with whether it was of many rows
   * @param nowMs the clock that times of application are told by
   */
  constructor(region: string, log: Log, changed: (isBulk: boolean) => void, nowMs = () => Date.now()) {
    this.#nowMs = nowMs;
    this.region = region;
    this.#log = log;
    this.#changed = (isBulk = false) => {
      this.#changes += 1;
      changed(isBulk);
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

  /** Sequences of the lanes in receipts: what was applied of a lane that may be another now proves nothing. */
  get provenSequences(): { readonly events: number; readonly urgent: number } {
    const { eventsSequence, urgentSequence } = this.#overlay;
    return this.#lanesProven ? { events: eventsSequence, urgent: urgentSequence } : { events: 0, urgent: 0 };
  }

  /** What was applied since the last receipt; of lanes that may be others now it is kept back. */
  takeApplied(): Applied[] {
    return this.#lanesProven ? this.applied.take() : this.applied.takeNational();
  }

  /** How often the lanes turned out to be others: what a receipt said of them before counts no more. */
  get histories(): number {
    return this.#histories;
  }

  get lastOfLanes(): LaneHashes {
    return { events: this.#lastOf("events"), urgent: this.#lastOf("urgent") };
  }

  #lastOf(lane: Lane): Buffer | undefined {
    const last = this.#lastOfLanes[lane];
    if (last === undefined || Buffer.isBuffer(last)) return last;
    const hash = messageHash(last);
    this.#lastOfLanes[lane] = hash;
    return hash;
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
    return this.#ready ? "" : this.#missing();
  }

  /** In what it is less than it should be although it is ready; empty: in nothing. */
  get standsAlone(): string {
    return this.#standsAlone;
  }

  #missing(): string {
    const { eventsSequence, urgentSequence } = this.#overlay;
    return waitsFor({
      hasOverlay: this.#overlayLoaded,
      ends: this.#ends,
      reached: { national: this.#table.sequence, events: eventsSequence, urgent: urgentSequence },
      hasOwnTable: this.#hasOwnTable,
      capital: this.#capital,
      isCapitalSilent: this.#isCapitalSilent,
    });
  }

  /** Takes what this replica's own file held; all of it is true for the same moment. */
  restore(snapshot: {
    readonly table: NationalTable;
    readonly overlay: Overlay;
    readonly regionEpoch: number;
    readonly lastOfLanes: LaneHashes;
  }): void {
    this.#table = snapshot.table;
    this.#overlay = snapshot.overlay;
    this.#regionEpoch = snapshot.regionEpoch;
    this.#lastOfLanes = { ...snapshot.lastOfLanes };
    this.#overlayLoaded = true;
    this.#hasOwnTable = true;
  }

  /** The lanes hold what was applied of them; from here on the replica is ready when it has reached these ends. */
  setEnds(ends: StartEnds): void {
    this.#ends = ends;
    this.#lanesProven = true;
    this.#readyPerhaps();
  }

  /** The region's server is away: it may come back with other lanes. */
  lanesAway(): void {
    this.#lanesProven = false;
  }

  /** A heartbeat of the capital; the first one says what a replica without a table of its own has to reach. */
  capitalIsAt(epoch: number, sequence: number): void {
    if (epoch !== this.nationalEpoch || this.#capital !== undefined) return;
    this.#capital = sequence;
    this.#readyPerhaps();
  }

  /** The capital has had its time to be heard. */
  capitalIsSilent(): void {
    this.#isCapitalSilent = true;
    this.#readyPerhaps();
  }

  /**
   * The region's streams have not answered for a while: what this replica knew
   * last protects more people than nothing. Not without an own file.
   *
   * @param why says how old that is
   */
  standAlone(why: string): void {
    if (this.#ready || this.#ends !== undefined || !this.#hasOwnTable) return;
    this.#standsAlone = why;
    this.#ready = true;
    this.#log.warn({ event: "stands-alone", sequence: this.#table.sequence, why }, "ready");
    this.#changed();
  }

  /** Another overlay, whole: what the nation has decided already is taken out of it at once. */
  replaceOverlay(overlay: Overlay, regionEpoch: number, lastOfLanes: LaneHashes): void {
    tellDecisions(this.#table, overlay);
    // Sequences of another epoch, or of another history in this one, prove nothing.
    const isSameEpoch = this.#overlayLoaded && regionEpoch === this.#regionEpoch;
    if (isSameEpoch && !this.#lanesProven) this.#histories += 1;
    this.applied.forgetLanes();
    this.#overlay = overlay;
    this.#lastOfLanes = { ...lastOfLanes };
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
    if (table.sequence > this.#table.sequence) this.applied.add("NATIONAL", table.sequence, this.#nowMs());
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
    this.applied.add("NATIONAL", batch.sequence, this.#nowMs());
    if (!digestIsRight) this.#mismatches += 1;
    this.#setDiverged(digestIsRight ? "" : `the digest differs since NATIONAL ${batch.sequence}`);
    if (batch.rows.some(({ row }) => row?.$case === "stop")) this.switched.notify();
    this.#readyPerhaps();
    this.#changed(batch.rows.length > bulkRowsMin);
    return digestIsRight;
  }

  /** Applies the next event of a lane; most are about other things and move the sequence alone. */
  applyEvent(lane: Lane, message: CopiedMessage, event: Event): void {
    const { sequence } = message;
    this.#overlay.applyEvent(event, { lane, sequence });
    this.#lastOfLanes[lane] = message;
    this.#readyPerhaps();
    // Receipts are events themselves: one about a receipt would never end.
    if (!concernsOverlay(event)) return;
    this.applied.add(lane === "events" ? "EVENTS" : "URGENT", sequence, this.#nowMs());
    if (event.body?.$case === "trunkSet" || event.body?.$case === "regionStop") this.switched.notify();
    this.#changed();
  }

  /** Forgets what ended long ago, some at each step; nothing that arrives can be about it any more. */
  *forgettingOld(nowMs: number): Generator<void> {
    yield* this.#overlay.forgettingBefore(nowMs - endedKeptMs);
    yield* this.#table.forgettingDecisionsBefore(nowMs - endedKeptMs);
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
    if ((this.#ready && this.#standsAlone === "") || this.#missing() !== "") return;
    this.#ready = true;
    this.#standsAlone = "";
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
