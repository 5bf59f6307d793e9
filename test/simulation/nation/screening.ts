import { nationalFromLines, nationalLines } from "#domain/national-snapshot.ts";
import { NationalTable } from "#domain/national-table.ts";
import type { OverlayState } from "#domain/overlay-state.ts";
import { Overlay } from "#domain/overlay.ts";
import { lanes, regionStream, type Lane } from "#proto/names.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import { AppliedLog } from "../../../services/screening/domain/applied-log.ts";
import { asked } from "../engine/link.ts";
import { sleep, Wake, wait, type Work } from "../engine/scheduler.ts";
import { decodeEvent, decodeNational, sameBytes } from "./decoded.ts";
import { laneStream, numberBefore, openedEpoch } from "./epochs.ts";
import { loadWhole, type Whole } from "./overlay-loading.ts";
import { Producer } from "./producer.ts";
import type { Region, Replica, World } from "./world.ts";

const askWaitMs = 1_000;
const retryMs = 300;
const pollMs = 1_000;
const readMax = 50;
const epochLookMs = 2_000;
const receiptGapMs = 100;
const receiptEveryMs = 5_000;
const snapshotEveryMs = 4_000;
const appliedMax = 1_000;
const waitingMax = 200;

interface Snapshot {
  readonly epoch: number;
  readonly national: readonly string[];
  readonly overlay: OverlayState;
  /** Base64; empty: none. */
  readonly lastOfLanes: Readonly<Record<Lane, string>>;
}

/**
 * One replica of services/screening, as services/screening/enforcement.ts,
 * consumers and reporter have it, around the real table, overlay and receipts.
 */
export class Screening {
  readonly #world: World;
  readonly #region: Region;
  readonly #replica: Replica;
  readonly #bootId: string;
  readonly #applied = new AppliedLog(appliedMax);
  readonly #changed = new Wake();
  readonly #waiting = new Map<number, Uint8Array>();
  table: NationalTable;
  overlay: Overlay;
  #epoch = 1;
  /** The message that was applied last of each lane. */
  #lastOfLanes: Record<Lane, Uint8Array | undefined> = { urgent: undefined, events: undefined };
  #ends: { readonly national: number; readonly events: number; readonly urgent: number } | undefined;
  #isOverlayLoaded = false;
  isReady = false;
  #unconfirmed: { readonly sequence: number; readonly digest: Uint8Array } | undefined;
  #isReceiptWanted = true;
  #changes = 0;

  constructor(world: World, region: Region, replica: Replica) {
    this.#world = world;
    this.#region = region;
    this.#replica = replica;
    this.#bootId = `boot-${replica.machine.incarnation}`;
    this.table = new NationalTable(region.name);
    this.overlay = new Overlay(region.name);
    this.#restore();
  }

  run(): void {
    const { machine } = this.#replica;
    machine.run(this.#readCopy());
    machine.run(this.#followLanes());
    machine.run(this.#report());
    machine.run(this.#keepSnapshots());
  }

  #restore(): void {
    const { disk } = this.#replica;
    if (disk === undefined) return;
    const { epoch, national, overlay, lastOfLanes } = JSON.parse(disk.text) as Snapshot;
    for (const lane of lanes) {
      this.#lastOfLanes[lane] =
        lastOfLanes[lane] === "" ? undefined : Buffer.from(lastOfLanes[lane], "base64");
    }
    this.table = nationalFromLines(national);
    this.overlay = Overlay.restore(overlay);
    this.#epoch = epoch;
    this.#isOverlayLoaded = true;
    const { sequence, digest } = this.table;
    this.#world.truth.startsAt(this.#region.name, this.#replica.name, this.#bootId, sequence);
    if (sequence > 0) this.#unconfirmed = { sequence, digest };
  }

  *#keepSnapshots(): Work {
    let written = -1;
    for (;;) {
      yield sleep(this.#world.scheduler, snapshotEveryMs);
      if (!this.#isOverlayLoaded || this.#changes === written) continue;
      written = this.#changes;
      const snapshot = {
        epoch: this.#epoch,
        national: [...nationalLines(this.table)],
        overlay: this.overlay.serialise(),
        lastOfLanes: {
          urgent: Buffer.from(this.#lastOfLanes.urgent ?? []).toString("base64"),
          events: Buffer.from(this.#lastOfLanes.events ?? []).toString("base64"),
        },
      };
      // The file is replaced in one step, and is of one moment.
      this.#replica.disk = { text: JSON.stringify(snapshot) };
    }
  }

  /** Live messages of the hub: any order, any number of times. */
  offerLive(sequence: number, data: Uint8Array): void {
    this.#offer(sequence, data);
  }

  /** Applies the message if it is the next one, and the waiting ones that come after it (consumers/national.ts). */
  #offer(sequence: number, data: Uint8Array): void {
    const next = this.table.sequence + 1;
    if (sequence < next) return;
    if (sequence > next && !this.#world.cores.flaws.appliesWithGaps) {
      if (this.#waiting.size < waitingMax && !this.#waiting.has(sequence)) this.#waiting.set(sequence, data);
      return;
    }
    this.#apply(data);
    for (let waiting = this.#take(); waiting !== undefined; waiting = this.#take()) this.#apply(waiting);
    for (const waited of this.#waiting.keys())
      if (waited <= this.table.sequence) this.#waiting.delete(waited);
  }

  /** Out of the waiting ones: one that cannot be applied is not tried again. */
  #take(): Uint8Array | undefined {
    const next = this.table.sequence + 1;
    const data = this.#waiting.get(next);
    this.#waiting.delete(next);
    return data;
  }

  #apply(data: Uint8Array): void {
    const { truth, cores } = this.#world;
    const batch = decodeNational(data);
    if (batch.sequence !== this.table.sequence + 1 && !cores.flaws.appliesWithGaps) {
      truth.broken("SYNC-3", `message ${batch.sequence} of NATIONAL stands under ${this.table.sequence + 1}`);
      return;
    }
    const digestIsRight = cores.applyNational(this.table, batch);
    this.overlay.applyDecisions(batch);
    this.#applied.add("NATIONAL", batch.sequence, this.#replica.machine.clockMs);
    truth.applied(this.#region.name, this.#replica.name, this.#bootId, batch.sequence, this.table.digest);
    if (!digestIsRight) truth.differs(`${this.#replica.machine.name} after NATIONAL ${batch.sequence}`);
    this.#noteChange();
  }

  *#readCopy(): Work {
    const { scheduler } = this.#world;
    const { store } = this.#region;
    const name = regionStream.national(1);
    for (;;) {
      const confirms = this.#unconfirmed?.sequence;
      const from = confirms ?? this.table.sequence + 1;
      const messages = yield* asked(
        this.#replica.toStore,
        () => store.streams.find(name)?.read(from, readMax) ?? [],
        askWaitMs,
      );
      for (const { sequence, data } of messages ?? []) {
        if (sequence === confirms) yield* this.#confirm(data);
        this.#offer(sequence, data);
      }
      if (messages === undefined) yield sleep(scheduler, retryMs);
      else if (messages.length === 0)
        yield wait(scheduler, store.streams.find(name)?.changed ?? this.#changed, pollMs);
    }
  }

  /** The snapshot's table must be the one that the copy has at its sequence; else it is read anew. */
  *#confirm(data: Uint8Array): Work {
    const { digest } = this.#unconfirmed ?? {};
    this.#unconfirmed = undefined;
    if (digest === undefined || sameBytes(decodeNational(data).digestAfter, digest)) return;
    const read = () =>
      this.#region.store.streams.find(regionStream.national(1))?.read(1, Number.MAX_SAFE_INTEGER) ?? [];
    const messages = yield* asked(this.#replica.toStore, read, askWaitMs);
    const table = new NationalTable(this.#region.name);
    for (const { sequence, data: bytes } of messages ?? []) {
      const batch = decodeNational(bytes);
      if (sequence > this.table.sequence) break;
      if (batch.sequence !== sequence) {
        this.#world.truth.broken("SYNC-3", `message ${batch.sequence} of NATIONAL stands under ${sequence}`);
        return;
      }
      table.apply(batch);
    }
    if (table.sequence === this.table.sequence) this.table = table;
    this.#noteChange();
  }

  /** Both lanes into the overlay; a new epoch has it loaded whole (consumers/lanes.ts). */
  *#followLanes(): Work {
    const { scheduler } = this.#world;
    const { store } = this.#region;
    const { toStore } = this.#replica;
    let connection = 0;
    for (;;) {
      const ends = yield* asked(toStore, () => endsOf(this.#region), askWaitMs);
      if (ends === undefined) {
        yield sleep(scheduler, retryMs);
        continue;
      }
      if (connection !== store.machine.incarnation) {
        const isSameHistory = yield* this.#holdsWhatWasApplied(ends.epoch);
        if (isSameHistory === undefined) continue;
        connection = isSameHistory.connection;
        this.#isOverlayLoaded &&= isSameHistory.holds;
      }
      if (!this.#isOverlayLoaded || ends.epoch !== this.#epoch) {
        const whole = yield* loadWhole(this.#world, this.#region, this.#replica);
        if (whole === undefined || whole.epoch !== ends.epoch) continue;
        this.#replaceOverlay(whole);
      }
      if (!this.isReady) this.#ends = ends;
      this.#readyPerhaps();
      const lookAgainMs = scheduler.nowMs + epochLookMs;
      let isSame = true;
      while (scheduler.nowMs < lookAgainMs && isSame) {
        let read = 0;
        for (const lane of lanes) {
          const after = lane === "events" ? this.overlay.eventsSequence : this.overlay.urgentSequence;
          const epoch = this.#epoch;
          const readOn = () =>
            store.machine.incarnation === connection
              ? laneStream(store.streams, lane, epoch)?.read(after + 1, readMax)
              : undefined;
          const messages = yield* asked(toStore, readOn, askWaitMs);
          const [first] = messages ?? [];
          isSame &&= messages !== undefined && (first === undefined || first.sequence === after + 1);
          if (!isSame) break;
          for (const { sequence, data } of messages ?? []) {
            this.#applyEvent(lane, sequence, decodeEvent(data));
            this.#lastOfLanes[lane] = data;
          }
          read += messages?.length ?? 0;
        }
        if (!isSame) yield sleep(scheduler, retryMs);
        else if (read === 0) yield wait(scheduler, store.streams.changed, pollMs);
      }
    }
  }

  /**
   * After every loss of the server: the lanes still hold what was applied last.
   * Its store may have come back older, and have grown again since.
   */
  *#holdsWhatWasApplied(epoch: number): Work<{ connection: number; holds: boolean } | undefined> {
    const { store } = this.#region;
    const { eventsSequence, urgentSequence } = this.overlay;
    const look = () => {
      const holds = lanes.every((lane) => {
        const sequence = lane === "events" ? eventsSequence : urgentSequence;
        const known = this.#lastOfLanes[lane];
        const found = laneStream(store.streams, lane, epoch)?.get(sequence);
        return sequence === 0 || (found !== undefined && known !== undefined && sameBytes(found.data, known));
      });
      return { connection: store.machine.incarnation, holds };
    };
    return yield* asked(this.#replica.toStore, look, askWaitMs);
  }

  #applyEvent(lane: Lane, sequence: number, event: Event): void {
    this.overlay.applyEvent(event, { lane, sequence });
    this.#readyPerhaps();
    if (!concernsOverlay(event)) return;
    this.#applied.add(lane === "events" ? "EVENTS" : "URGENT", sequence, this.#replica.machine.clockMs);
    this.#noteChange();
  }

  /** What the nation has decided already is taken out of an overlay that was loaded whole. */
  foldDecisionsInto(overlay: Overlay): void {
    for (const decision of this.table.decisions()) {
      const { sequence, atMs } = decision;
      overlay.applyDecisions({ sequence, atMs, decisions: [decision], revokedBatches: [] });
    }
    const { sequence } = this.table;
    overlay.applyDecisions({ sequence, atMs: 0, decisions: [], revokedBatches: this.table.revokedBatches() });
  }

  #replaceOverlay({ overlay, epoch, lastOfLanes }: Whole): void {
    this.foldDecisionsInto(overlay);
    this.overlay = overlay;
    this.#epoch = epoch;
    this.#lastOfLanes = { ...lastOfLanes };
    this.#isOverlayLoaded = true;
    this.#readyPerhaps();
    this.#noteChange();
  }

  #readyPerhaps(): void {
    if (this.isReady || !this.#isOverlayLoaded || this.#ends === undefined) return;
    this.isReady =
      this.table.sequence >= this.#ends.national &&
      this.overlay.eventsSequence >= this.#ends.events &&
      this.overlay.urgentSequence >= this.#ends.urgent;
    if (this.isReady) this.#noteChange();
  }

  #noteChange(): void {
    this.#changes += 1;
    this.#isReceiptWanted = true;
    this.#changed.notify();
  }

  /** Receipts into EVENTS, at most ten a second and one every five (reporter.ts). */
  *#report(): Work {
    const { scheduler } = this.#world;
    const { streams } = this.#region.store;
    const { toStore, machine, name } = this.#replica;
    for (;;) {
      const epoch = yield* asked(toStore, () => openedEpoch(streams), askWaitMs);
      if (epoch === undefined) {
        yield sleep(scheduler, retryMs);
        continue;
      }
      const producer = yield* Producer.open({
        ...{ scheduler, link: toStore, name, expects: true, numberBefore: numberBefore(name) },
        stream: () => laneStream(streams, "events", epoch),
      });
      if (producer === undefined) continue;
      const untilMs = scheduler.nowMs + epochLookMs;
      while (scheduler.nowMs < untilMs) {
        this.#isReceiptWanted = false;
        const body = { $case: "receipt", value: this.#receipt() } as const;
        if ((yield* producer.append(body, machine.clockMs, untilMs + epochLookMs)) !== "stored") break;
        yield sleep(scheduler, receiptGapMs);
        if (!this.#isReceiptWanted) yield wait(scheduler, this.#changed, receiptEveryMs);
      }
    }
  }

  #receipt() {
    const { table, overlay } = this;
    const { cores } = this.#world;
    const claimed = cores.flaws.claimsTooMuch ? table.sequence + 1 : table.sequence;
    return {
      ...{ region: this.#region.name, replica: this.#replica.name, bootId: this.#bootId, release: "" },
      ...{
        ready: this.isReady,
        nationalEpoch: 1,
        nationalSequence: claimed,
        digest: Buffer.from(table.digest),
      },
      ...{
        regionEpoch: this.#epoch,
        eventsSequence: overlay.eventsSequence,
        urgentSequence: overlay.urgentSequence,
      },
      ...{ applied: this.#applied.take(), atMs: this.#replica.machine.clockMs },
    };
  }
}

function endsOf({ store: { streams } }: Region) {
  const epoch = openedEpoch(streams);
  const last = (name: string) => streams.find(name)?.last;
  const national = last(regionStream.national(1));
  const events = last(regionStream.lane("events", epoch));
  const urgent = last(regionStream.lane("urgent", epoch));
  if (national === undefined || events === undefined || urgent === undefined) return undefined;
  return { epoch, national, events, urgent };
}

const overlayBodies: ReadonlySet<string> = new Set([
  "directives",
  "approval",
  "batchRevocation",
  "trunkSet",
  "regionStop",
]);
const concernsOverlay = ({ body }: Event): boolean => body !== undefined && overlayBodies.has(body.$case);
