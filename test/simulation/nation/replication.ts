import { hubStream, lanes, regionStream, type Lane } from "#proto/names.ts";
import { asked } from "../engine/link.ts";
import { sleep, wait, Wake, type Work } from "../engine/scheduler.ts";
import type { Stored } from "../engine/store.ts";
import type { ForkWhy } from "../../../services/replication/domain/copy.ts";
import { askWaitMs, away, awayPollMs, compareEnds, connectionsOf, Window, type Copied } from "./copying.ts";
import { laneStream, numberBefore, openedEpoch, openerName } from "./epochs.ts";
import { feedLate, openEpoch, readEpochs } from "./opening.ts";
import { Producer } from "./producer.ts";
import type { Region, World } from "./world.ts";

const compareEveryMs = 20_000;
const quietCheckMs = 2_000;
const pollMs = 1_000;
const heartbeatMs = 5_000;
const feedLateEveryMs = 2_000;
const readMax = 50;
const liveMax = 100;

/** Live messages that came and were not appended yet. */
class Live {
  readonly #messages = new Map<number, Uint8Array>();
  readonly wake = new Wake();

  push(sequence: number, data: Uint8Array): void {
    if (this.#messages.size < liveMax) this.#messages.set(sequence, data);
    this.wake.notify();
  }

  take(next: number): Uint8Array | undefined {
    for (const sequence of this.#messages.keys()) if (sequence < next) this.#messages.delete(sequence);
    return this.#messages.get(next);
  }

  get waiting(): boolean {
    return this.#messages.size > 0;
  }
}

/** A time in one epoch; whoever finds a fork ends it. */
interface Shift {
  readonly epoch: number;
  isOver: boolean;
  fork: ForkWhy | undefined;
}

/** services/replication: both lanes up, NATIONAL and FOR down, a heartbeat. */
export class Replication {
  readonly #world: World;
  readonly #region: Region;
  readonly #national = new Live();
  readonly #forRegion = new Live();

  constructor(world: World, region: Region) {
    this.#world = world;
    this.#region = region;
  }

  run(): void {
    const { replication, name } = this.#region;
    replication.run(this.#copyLanes());
    replication.run(this.#copyDown(regionStream.national(1), hubStream.national(1), this.#national));
    replication.run(this.#copyDown(regionStream.forRegion(1), hubStream.forRegion(name, 1), this.#forRegion));
    replication.run(this.#beat());
  }

  /** NATIONAL as the hub tells it live. */
  offerNational(sequence: number, data: Uint8Array): void {
    this.#national.push(sequence, data);
  }

  offerFor(sequence: number, data: Uint8Array): void {
    this.#forRegion.push(sequence, data);
  }

  #copied(direction: "up" | "down", regionName: string, hubName: string): Copied {
    const { scheduler, cores, capital } = this.#world;
    const { store, replicationToStore, line } = this.#region;
    return {
      ...{ scheduler, cores, direction },
      region: {
        link: replicationToStore,
        machine: store.machine,
        stream: () => store.streams.find(regionName),
      },
      hub: { link: line, machine: capital.hub.machine, stream: () => capital.hub.streams.find(hubName) },
    };
  }

  /** Which epoch the lanes are in, and both of them up to the hub in it; a fork opens another one. */
  *#copyLanes(): Work {
    const { scheduler, cores } = this.#world;
    const { replication } = this.#region;
    let fork: { readonly why: ForkWhy; readonly epoch: number } | undefined;
    for (;;) {
      const known = yield* readEpochs(this.#world, this.#region);
      if (known === undefined) {
        yield sleep(scheduler, awayPollMs);
        continue;
      }
      // Its epoch may be over although nobody answered that the next one is opened.
      const plan = cores.planEpoch(known, fork?.epoch === known.opened ? fork.why : undefined);
      if (plan.kind === "open") {
        if (yield* openEpoch(this.#world, this.#region, plan)) fork = undefined;
        else yield sleep(scheduler, awayPollMs);
        continue;
      }
      const shift: Shift = { epoch: plan.epoch, isOver: false, fork: undefined };
      for (const lane of lanes) replication.run(this.#copyUp(lane, shift));
      const untilMs = scheduler.nowMs + compareEveryMs;
      while (!shift.isOver && scheduler.nowMs < untilMs) {
        if (shift.epoch > 1) yield* feedLate(this.#world, this.#region, shift.epoch);
        yield sleep(scheduler, feedLateEveryMs);
      }
      shift.isOver = true;
      fork = shift.fork && { why: shift.fork, epoch: shift.epoch };
    }
  }

  *#copyUp(lane: Lane, shift: Shift): Work {
    const { scheduler, cores, truth } = this.#world;
    const { store, name, replication } = this.#region;
    const { epoch } = shift;
    const copied = this.#copied("up", regionStream.lane(lane, epoch), hubStream.up(lane, name, epoch));
    const who = `${replication.name} ${lane}`;
    while (!shift.isOver) {
      const connections = connectionsOf(copied);
      const isStill = () => connections === connectionsOf(copied) || cores.flaws.comparesOnce;
      const plan = yield* compareEnds(copied);
      if (plan === undefined || plan.kind === "wait") {
        yield* away(copied);
        continue;
      }
      if (plan.kind === "fork") {
        scheduler.note(who, `is forked: ${plan.detail}`);
        shift.fork ??= plan.why;
        shift.isOver = true;
        return;
      }
      if (plan.kind === "refill") {
        yield* this.#refill(copied, plan.from, plan.to);
        continue;
      }
      if (plan.kind !== "copy") {
        truth.stops(who, plan.kind);
        yield sleep(scheduler, compareEveryMs);
        continue;
      }
      truth.goesOn(who);
      const window = new Window(scheduler);
      let next = plan.from;
      while (!shift.isOver && !window.hasFailed && isStill()) {
        const read = () => (isStill() ? copied.region.stream()?.read(next, readMax) : undefined);
        const messages = yield* asked(copied.region.link, read, askWaitMs);
        const [first] = messages ?? [];
        if (!isStill() || (first !== undefined && first.sequence !== next)) break;
        for (const part of this.#parts(messages ?? [])) {
          if (!(yield* window.send(copied.hub, part, ({ subject }) => subject, !cores.flaws.copiesBlindly)))
            break;
          next += part.length;
        }
        if (messages?.length === 0)
          yield wait(scheduler, copied.region.stream()?.changed ?? store.streams.changed, pollMs);
      }
      yield* window.drain();
      if (window.hasFailed) yield* away(copied);
    }
  }

  /** The region's lane lost its end: the hub's messages are appended to it, under their own subjects. */
  *#refill(copied: Copied, from: number, to: number): Work {
    const { scheduler } = this.#world;
    const { hub, region } = copied;
    const messages = yield* asked(hub.link, () => hub.stream()?.read(from, to - from + 1), askWaitMs);
    for (const { sequence, subject, data } of messages ?? []) {
      const append = () =>
        region.stream()?.append(subject, data, { last: sequence - 1 }, scheduler.nowMs) ?? "no-stream";
      if ((yield* asked(region.link, append, askWaitMs)) !== sequence) break;
    }
    if (messages === undefined) yield* away(copied);
    else scheduler.note(this.#region.replication.name, `refills ${from} to ${to}`);
  }

  /** Alone, or in batches where more than one waits. */
  #parts(messages: readonly Stored[]): Stored[][] {
    const { scheduler } = this.#world;
    const parts: Stored[][] = [];
    for (let from = 0; from < messages.length;) {
      const size = scheduler.chance(0.5) ? 1 : 1 + scheduler.pickNumber(8);
      parts.push(messages.slice(from, from + size));
      from += size;
    }
    return parts;
  }

  *#copyDown(regionName: string, hubName: string, live: Live): Work {
    const { scheduler, cores, truth } = this.#world;
    const copied = this.#copied("down", regionName, hubName);
    for (;;) {
      const connections = connectionsOf(copied);
      const plan = yield* compareEnds(copied);
      if (plan === undefined || plan.kind === "wait") {
        yield* away(copied);
        continue;
      }
      if (plan.kind !== "copy") {
        truth.stops(`${this.#region.replication.name} ${regionName}`, plan.kind);
        yield sleep(scheduler, compareEveryMs);
        continue;
      }
      const window = new Window(scheduler);
      const untilMs = scheduler.nowMs + compareEveryMs;
      let next = plan.from;
      let heardAtMs = 0;
      while (scheduler.nowMs < untilMs && !window.hasFailed && connections === connectionsOf(copied)) {
        const data = live.take(next);
        if (data !== undefined) {
          const message = { sequence: next, subject: "batch", data, storedAtMs: 0 };
          if (
            !(yield* window.send(
              copied.region,
              [message],
              ({ subject }) => subject,
              !cores.flaws.copiesBlindly,
            ))
          )
            break;
          next += 1;
          heardAtMs = scheduler.nowMs;
        } else if (live.waiting || scheduler.nowMs - heardAtMs >= quietCheckMs) {
          const messages = yield* asked(
            copied.hub.link,
            () => copied.hub.stream()?.read(next, readMax) ?? [],
            askWaitMs,
          );
          if (messages === undefined) break;
          for (const part of this.#parts(messages)) {
            // A batch of which a part was lost on its way is asked for again.
            if (part[0]?.sequence !== next) break;
            if (
              !(yield* window.send(copied.region, part, ({ subject }) => subject, !cores.flaws.copiesBlindly))
            )
              break;
            next += part.length;
          }
          heardAtMs = scheduler.nowMs;
        } else {
          yield wait(scheduler, live.wake, quietCheckMs);
        }
      }
      yield* window.drain();
      if (window.hasFailed) yield* away(copied);
    }
  }

  /** Says every five seconds that the region lives. */
  *#beat(): Work {
    const { scheduler } = this.#world;
    const { store, replication, replicationToStore: link, name } = this.#region;
    for (;;) {
      const epoch = yield* asked(link, () => openedEpoch(store.streams), askWaitMs);
      if (epoch === undefined) {
        yield sleep(scheduler, pollMs);
        continue;
      }
      const producer = yield* Producer.open({
        ...{ scheduler, link, name: openerName, expects: true, numberBefore: numberBefore(openerName) },
        trustsRestarted: this.#world.cores.flaws.trustsRestarted,
        stream: () => laneStream(store.streams, "events", epoch),
      });
      if (producer === undefined) continue;
      const atMs = replication.clockMs;
      const of = { region: name, regionEpoch: epoch, atMs, release: "" };
      const value = { ...of, streams: [], numbers: [], nationalSeal: undefined };
      yield* producer.append({ $case: "heartbeat", value }, atMs, scheduler.nowMs + heartbeatMs);
      yield sleep(scheduler, heartbeatMs);
    }
  }
}
