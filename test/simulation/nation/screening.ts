import { nationalFromLines, nationalLines } from "#domain/national-snapshot.ts";
import { NationalTable } from "#domain/national-table.ts";
import type { OverlayState } from "#domain/overlay-state.ts";
import { Overlay } from "#domain/overlay.ts";
import { createLog } from "#platform/log.ts";
import { messageHash } from "#platform/message-hash.ts";
import { lanes, regionStream, type Lane } from "#proto/names.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import { receiptOf } from "../../../services/screening/domain/receipt.ts";
import type { StartEnds } from "../../../services/screening/domain/start.ts";
import { Enforcement } from "../../../services/screening/enforcement.ts";
import { asked } from "../engine/link.ts";
import { sleep, Wake, wait, type Work } from "../engine/scheduler.ts";
import { decodeEvent, decodeNational, sameBytes } from "./decoded.ts";
import { laneStream, numberBefore, openedEpoch } from "./epochs.ts";
import { Held } from "./held.ts";
import { loadWhole } from "./overlay-loading.ts";
import { Producer } from "./producer.ts";
import type { Region, Replica, World } from "./world.ts";

const silent = createLog("screening", "simulation", "silent");
const askWaitMs = 1_000;
const retryMs = 300;
const pollMs = 1_000;
const readMax = 50;
const epochLookMs = 2_000;
const receiptGapMs = 100;
const receiptEveryMs = 5_000;
const snapshotEveryMs = 4_000;
const waitingMax = 200;
/** services/screening/config.ts */
const capitalWordWaitMs = 6_000;
const streamsWaitMs = 5_000;
const longMs = 3_600_000;

interface Snapshot {
  readonly epoch: number;
  readonly national: readonly string[];
  readonly overlay: OverlayState;
  /** Base64; empty: none. */
  readonly lastOfLanes: Readonly<Record<Lane, string>>;
  readonly held: readonly string[];
}

/**
 * One replica of services/screening, as its consumers and its reporter have it,
 * around the real table, overlay, readiness and receipts (services/screening/enforcement.ts).
 */
export class Screening {
  readonly #world: World;
  readonly #region: Region;
  readonly #replica: Replica;
  readonly #bootId: string;
  readonly #changed = new Wake();
  readonly #waiting = new Map<number, Uint8Array>();
  readonly #enforcement: Enforcement;
  readonly #held: Held;
  #unconfirmed: { readonly sequence: number; readonly digest: Uint8Array } | undefined;
  #isReceiptWanted = true;

  constructor(world: World, region: Region, replica: Replica) {
    this.#world = world;
    this.#region = region;
    this.#replica = replica;
    this.#bootId = `boot-${replica.machine.incarnation}`;
    const clock = () => replica.machine.clockMs;
    this.#enforcement = new Enforcement(region.name, silent, () => this.#noteChange(), clock);
    this.#held = new Held(world, region, replica);
    this.#restore();
  }

  get table(): NationalTable {
    return this.#enforcement.table;
  }

  get overlay(): Overlay {
    return this.#enforcement.overlay;
  }

  get isReady(): boolean {
    return this.#enforcement.ready;
  }

  run(): void {
    const { machine } = this.#replica;
    machine.run(this.#readCopy());
    machine.run(this.#followLanes());
    machine.run(this.#report());
    machine.run(this.#keepSnapshots());
    machine.run(this.#watchServer());
    machine.run(this.#giveUpWaiting());
  }

  #restore(): void {
    const { disk } = this.#replica;
    if (disk === undefined) return;
    const { epoch, national, overlay, lastOfLanes, held } = JSON.parse(disk.text) as Snapshot;
    const hashOf = (lane: Lane) =>
      lastOfLanes[lane] === "" ? undefined : Buffer.from(lastOfLanes[lane], "base64");
    this.#held.replace(held);
    this.#enforcement.restore({
      table: nationalFromLines(national),
      overlay: Overlay.restore(overlay),
      regionEpoch: epoch,
      lastOfLanes: { urgent: hashOf("urgent"), events: hashOf("events") },
    });
    const { sequence, digest } = this.table;
    this.#world.truth.startsAt(this.#region.name, this.#replica.name, this.#bootId, sequence);
    if (sequence > 0) this.#unconfirmed = { sequence, digest };
  }

  /** What is waited for at a start is not waited for without end (services/screening/server.ts). */
  *#giveUpWaiting(): Work {
    const { scheduler } = this.#world;
    yield sleep(scheduler, streamsWaitMs);
    if (this.#replica.disk !== undefined) this.#enforcement.standAlone("the region's streams do not answer");
    yield sleep(scheduler, capitalWordWaitMs - streamsWaitMs);
    this.#enforcement.capitalIsSilent();
  }

  /** That the connection was lost is known at once; what the server comes back with is not. */
  *#watchServer(): Work {
    const { scheduler } = this.#world;
    const { machine } = this.#region.store;
    for (let { incarnation } = machine; ;) {
      yield wait(scheduler, machine.ended, longMs);
      if (incarnation === machine.incarnation) continue;
      incarnation = machine.incarnation;
      this.#enforcement.lanesAway();
    }
  }

  *#keepSnapshots(): Work {
    let written = -1;
    for (;;) {
      yield sleep(this.#world.scheduler, snapshotEveryMs);
      const { ready, changes, regionEpoch, lastOfLanes } = this.#enforcement;
      if (!ready || changes === written) continue;
      written = changes;
      const snapshot: Snapshot = {
        epoch: regionEpoch,
        national: [...nationalLines(this.table)],
        overlay: this.overlay.serialise(),
        lastOfLanes: {
          urgent: lastOfLanes.urgent?.toString("base64") ?? "",
          events: lastOfLanes.events?.toString("base64") ?? "",
        },
        held: this.#held.all(),
      };
      // The file is replaced in one step, and is of one moment.
      this.#replica.disk = { text: JSON.stringify(snapshot) };
    }
  }

  /** Live messages of the hub: any order, any number of times. */
  offerLive(sequence: number, data: Uint8Array): void {
    this.#offer(sequence, data);
  }

  /** The capital's heartbeat. */
  hearCapital(sequence: number): void {
    this.#held.hearCapital(sequence);
    this.#enforcement.capitalIsAt(this.#enforcement.nationalEpoch, sequence);
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
    const digestIsRight = cores.applyNational(this.#enforcement, batch);
    truth.applied(this.#region.name, this.#replica.name, this.#bootId, batch.sequence, this.table.digest);
    if (!digestIsRight) truth.differs(`${this.#replica.machine.name} after NATIONAL ${batch.sequence}`);
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
    if (table.sequence === this.table.sequence) this.#enforcement.replaceTable(table, true);
  }

  /** Both lanes into the overlay; another epoch or history has it loaded whole (consumers/region-epochs.ts, lanes.ts). */
  *#followLanes(): Work {
    const { scheduler, cores } = this.#world;
    const { store } = this.#region;
    const { toStore } = this.#replica;
    for (;;) {
      const found = yield* asked(toStore, () => this.#find(), askWaitMs);
      if (found === undefined) {
        yield sleep(scheduler, retryMs);
        continue;
      }
      const { epoch, connection, ends } = found;
      const isGone = () => store.machine.incarnation !== connection;
      if (found.needsOverlay && !(yield* this.#loadOverlay(epoch))) continue;
      if (isGone()) continue;
      this.#enforcement.setEnds(cores.flaws.readyAtOnce ? { national: 0, events: 0, urgent: 0 } : ends);
      const lookAgainMs = scheduler.nowMs + epochLookMs;
      let isSame = true;
      while (scheduler.nowMs < lookAgainMs && isSame && !isGone()) {
        let read = 0;
        for (const lane of lanes) {
          const after = lane === "events" ? this.overlay.eventsSequence : this.overlay.urgentSequence;
          const readOn = () =>
            isGone() ? undefined : laneStream(store.streams, lane, epoch)?.read(after + 1, readMax);
          const messages = yield* asked(toStore, readOn, askWaitMs);
          const [first] = messages ?? [];
          isSame &&= messages !== undefined && (first === undefined || first.sequence === after + 1);
          if (!isSame || isGone()) break;
          for (const message of messages ?? []) {
            this.#held.add(message);
            this.#enforcement.applyEvent(lane, message, decodeEvent(message.data));
          }
          read += messages?.length ?? 0;
        }
        if (!isSame) yield sleep(scheduler, retryMs);
        else if (read === 0) yield wait(scheduler, store.streams.changed, pollMs);
      }
    }
  }

  /** The region's streams as they are now, and whether the overlay must be loaded before they are followed. */
  #find() {
    const { store } = this.#region;
    const ends = endsOf(this.#region);
    if (ends === undefined) return undefined;
    const { epoch } = ends;
    const { isWhole, regionEpoch, lastOfLanes } = this.#enforcement;
    const { eventsSequence, urgentSequence } = this.overlay;
    const isOther = (lane: Lane) => {
      const sequence = lane === "events" ? eventsSequence : urgentSequence;
      const message = laneStream(store.streams, lane, epoch)?.get(sequence);
      const known = lastOfLanes[lane];
      return message !== undefined && known !== undefined && !messageHash(message).equals(known);
    };
    const isBehind = ends.events < eventsSequence || ends.urgent < urgentSequence;
    const needsOverlay = !isWhole || regionEpoch !== epoch || isBehind || lanes.some(isOther);
    return { epoch, ends, needsOverlay, connection: store.machine.incarnation };
  }

  *#loadOverlay(epoch: number): Work<boolean> {
    const whole = yield* loadWhole(this.#world, this.#region, this.#replica);
    if (whole === undefined || whole.epoch !== epoch) return false;
    this.#held.replace(whole.contents);
    this.#enforcement.replaceOverlay(whole.overlay, epoch, whole.lastOfLanes);
    return true;
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

  #noteChange(): void {
    this.#isReceiptWanted = true;
    this.#changed.notify();
    const { ready, standsAlone } = this.#enforcement;
    if (ready && standsAlone === "") this.#held.ready(this.table.sequence, this.#replica.disk === undefined);
  }

  /** Receipts into EVENTS, at most ten a second and one every five (reporter.ts). */
  *#report(): Work {
    const { scheduler } = this.#world;
    const { streams } = this.#region.store;
    const { toStore, machine, name } = this.#replica;
    // What is on its way is written again in another epoch, and beside another server (lane-writer.ts).
    let unsent: NonNullable<Event["body"]> | undefined;
    for (;;) {
      const epoch = yield* asked(toStore, () => openedEpoch(streams), askWaitMs);
      if (epoch === undefined) {
        yield sleep(scheduler, retryMs);
        continue;
      }
      const producer = yield* Producer.open({
        ...{ scheduler, link: toStore, name, expects: true, numberBefore: numberBefore(name) },
        trustsRestarted: this.#world.cores.flaws.trustsRestarted,
        stream: () => laneStream(streams, "events", epoch),
      });
      if (producer === undefined) continue;
      const untilMs = scheduler.nowMs + epochLookMs;
      while (scheduler.nowMs < untilMs) {
        if (unsent === undefined) this.#isReceiptWanted = false;
        unsent ??= { $case: "receipt", value: this.#receipt() };
        if ((yield* producer.append(unsent, machine.clockMs, untilMs + epochLookMs)) !== "stored") break;
        unsent = undefined;
        yield sleep(scheduler, receiptGapMs);
        if (!this.#isReceiptWanted) yield wait(scheduler, this.#changed, receiptEveryMs);
      }
    }
  }

  #receipt() {
    const { name: replica, machine } = this.#replica;
    const own = { region: this.#region.name, replica, bootId: this.#bootId, release: "" };
    const receipt = receiptOf(own, this.#enforcement, machine.clockMs);
    const { claimsTooMuch } = this.#world.cores.flaws;
    return claimsTooMuch ? { ...receipt, nationalSequence: receipt.nationalSequence + 1 } : receipt;
  }
}

function endsOf({ store: { streams } }: Region): (StartEnds & { readonly epoch: number }) | undefined {
  const epoch = openedEpoch(streams);
  const last = (name: string) => streams.find(name)?.last;
  const national = last(regionStream.national(1));
  const events = last(regionStream.lane("events", epoch));
  const urgent = last(regionStream.lane("urgent", epoch));
  if (national === undefined || events === undefined || urgent === undefined) return undefined;
  return { epoch, national, events, urgent };
}
