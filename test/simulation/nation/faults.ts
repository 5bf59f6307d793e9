import type { Link } from "../engine/link.ts";
import type { Machine } from "../engine/machine.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import { Backups } from "./backups.ts";
import { streamBytesMax } from "./streams.ts";
import { machinesOf, type Region, type World } from "./world.ts";

const hourMs = 3_600_000;
/** Chance that the last kind of fault is also the last that happens. */
const lastChance = 0.3;
/** Chance that everything is copied before a fault. */
const copyChance = 0.5;
const calm = { lost: 0, answerLost: 0, twice: 0, breaks: 0 };

/** What can happen to a nation. */
export type FaultKind =
  | "kill"
  | "kills between effects"
  | "stop"
  | "leader replaced while stopped"
  | "cut"
  | "bad line"
  | "clock"
  | "full stream"
  | "lost tail"
  | "older store"
  | "older database"
  | "older store and database"
  | "older hub"
  | "older hub and store"
  | "older capital database"
  | "older capital database, then hub and store";

/** How often each happens, relative to the others. */
export type Weights = Readonly<Partial<Record<FaultKind, number>>>;

export const processFaults: Weights = {
  kill: 4,
  "kills between effects": 4,
  stop: 3,
  "leader replaced while stopped": 2,
  cut: 3,
  "bad line": 3,
  clock: 1,
  "full stream": 1,
};

/** Leaders that stop and wake, again and again. */
export const leaderFaults: Weights = { kill: 1, "leader replaced while stopped": 5 };

/** Beside all that, disks of regions that come back older than they were. */
export const regionDiskFaults: Weights = {
  ...processFaults,
  "lost tail": 2,
  "older store": 2,
  "older database": 2,
  "older store and database": 1,
};

/** Beside all that, a hub whose disk comes back older than it was. */
export const hubDiskFaults: Weights = { ...processFaults, "older database": 1, "older hub": 2 };

/** Beside all that, stores at both ends of a line at once. */
export const bothDisksFaults: Weights = {
  ...processFaults,
  "older store": 1,
  "older hub": 1,
  "older hub and store": 3,
};

/** Beside all that, the capital's database comes back older, and databases of regions. */
export const capitalDiskFaults: Weights = {
  ...processFaults,
  "older database": 1,
  "older capital database": 3,
};

/** Beside all that, disks of the capital and of regions. */
export const manyDisksFaults: Weights = {
  ...processFaults,
  "lost tail": 1,
  "older store": 1,
  "older hub": 1,
  "older hub and store": 1,
  "older capital database": 1,
  "older capital database, then hub and store": 4,
};

/** Does things to a nation until a time, chosen by the seed; then `heal` ends them all. */
export class Faults {
  readonly #world: World;
  readonly #weights: readonly (readonly [FaultKind, number])[];
  readonly #backups: Backups;
  readonly counts = new Map<string, number>();

  constructor(world: World, weights: Weights) {
    this.#world = world;
    this.#backups = new Backups(world);
    this.#weights = Object.entries(weights) as [FaultKind, number][];
  }

  start(untilMs: number, gapMsMax: number): void {
    const { scheduler } = this.#world;
    const next = () => {
      if (scheduler.nowMs >= untilMs) return;
      if (scheduler.chance(copyChance)) this.#backups.take();
      this.#happens(this.#pickKind());
      scheduler.at(scheduler.between(0.1 * gapMsMax, gapMsMax), next);
    };
    scheduler.at(scheduler.between(0, gapMsMax), next);
    // The last thing that happens, so that nothing else mends it by chance.
    const [lastKind] = this.#weights.at(-1) ?? [];
    if (lastKind !== undefined && scheduler.chance(lastChance)) {
      scheduler.at(untilMs, () => this.#happens(lastKind));
    }
  }

  /** Everything is whole again, as far as a fault was not for good. */
  heal(): void {
    for (const machine of machinesOf(this.#world)) {
      machine.killChance = 0;
      machine.clockErrorMs = 0;
      machine.continueNow();
      machine.start();
    }
    for (const { streams } of [this.#world.capital.hub, ...this.#world.regions.map(({ store }) => store)]) {
      for (const stream of streams.all()) stream.bytesMax = streamBytesMax;
    }
    for (const region of this.#world.regions) {
      for (const link of linksOf(region)) {
        Object.assign(link.weather, calm);
        link.mend();
      }
    }
  }

  #pickKind(): FaultKind {
    const total = this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.#world.scheduler.random() * total;
    for (const [kind, weight] of this.#weights) {
      left -= weight;
      if (left < 0) return kind;
    }
    throw new RangeError("no fault may happen");
  }

  #happens(kind: FaultKind): void {
    const { scheduler } = this.#world;
    const about = this.#carryOut(kind, scheduler);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    scheduler.note("fault", `${kind}: ${about}`);
  }

  #carryOut(kind: FaultKind, scheduler: Scheduler): string {
    switch (kind) {
      case "kill": {
        const machine = this.#pickMachine();
        this.#kill(machine);
        return machine.name;
      }
      case "kills between effects": {
        const machine = this.#pickMachine();
        machine.killChance = scheduler.between(0.02, 0.3);
        scheduler.at(scheduler.between(500, 4_000), () => (machine.killChance = 0));
        return machine.name;
      }
      case "stop": {
        const machine = this.#pickMachine();
        machine.stopFor(scheduler.between(200, 8_000));
        return machine.name;
      }
      case "leader replaced while stopped": {
        const { capital } = this.#world;
        const { holder } = capital.lock ?? {};
        holder?.stopFor(scheduler.between(1_500, 6_000));
        // Its session ends, and it does not know.
        scheduler.at(scheduler.between(0, 500), () => (capital.lock = undefined));
        return holder?.name ?? "nobody leads";
      }
      case "cut": {
        const region = this.#pickRegion();
        region.line.cutFor(scheduler.between(300, 9_000));
        return region.name;
      }
      case "bad line": {
        const region = this.#pickRegion();
        const worst = { lost: 0.2, answerLost: 0.2, twice: 0.25, breaks: 0.08 };
        const weather = Object.fromEntries(
          Object.entries(worst).map(([what, most]) => [what, scheduler.random() * most]),
        );
        for (const link of linksOf(region)) {
          Object.assign(link.weather, weather);
          scheduler.at(scheduler.between(1_000, 9_000), () => Object.assign(link.weather, calm));
        }
        return region.name;
      }
      case "clock": {
        const machine = this.#pickMachine();
        machine.clockErrorMs = (scheduler.random() < 0.5 ? -1 : 1) * scheduler.between(1_000, 3 * hourMs);
        scheduler.at(scheduler.between(500, 9_000), () => (machine.clockErrorMs = 0));
        return machine.name;
      }
      case "full stream": {
        const { capital, regions } = this.#world;
        const streams = scheduler.pick([capital.hub, ...regions.map(({ store }) => store)]).streams.all();
        if (streams.length === 0) return "no stream yet";
        const stream = scheduler.pick(streams);
        stream.bytesMax = stream.bytes;
        scheduler.at(scheduler.between(500, 9_000), () => (stream.bytesMax = streamBytesMax));
        return stream.name;
      }
      case "lost tail":
        return this.#backups.loseTails(this.#pickRegion());
      case "older store":
        return this.#backups.restore(this.#pickRegion(), { store: true, database: false });
      case "older database":
        return this.#backups.restore(this.#pickRegion(), { store: false, database: true });
      case "older store and database":
        return this.#backups.restore(this.#pickRegion(), { store: true, database: true });
      case "older hub":
        return this.#backups.restoreHub();
      case "older capital database":
        return this.#backups.restoreCapital();
      case "older capital database, then hub and store": {
        const region = this.#pickRegion();
        const afterMs = scheduler.between(4_000, 12_000);
        scheduler.at(afterMs, () => scheduler.note("fault", this.#backups.restoreHubAndStore(region)));
        return this.#backups.restoreCapital();
      }
      case "older hub and store":
        return this.#backups.restoreHubAndStore(this.#pickRegion());
      default:
        return kind satisfies never;
    }
  }

  #pickMachine(): Machine {
    return this.#world.scheduler.pick(machinesOf(this.#world));
  }

  #pickRegion(): Region {
    return this.#world.scheduler.pick(this.#world.regions);
  }

  #kill(machine: Machine): void {
    const { capital, regions } = this.#world;
    for (const { machine: server, database } of [
      capital.postgres,
      ...regions.map(({ postgres }) => postgres),
    ]) {
      if (server === machine) database.crash();
    }
    machine.kill("kill -9");
  }
}

/** Links over which streams are asked; those to PostgreSQL lose no more than a crash does. */
function linksOf(region: Region): Link[] {
  const { line, fromHub, replicationToStore, centreToStore, people } = region;
  const ofReplicas = region.replicas.flatMap((replica) => [replica.fromHub, replica.toStore]);
  return [line, fromHub, replicationToStore, centreToStore, people, ...ofReplicas];
}
