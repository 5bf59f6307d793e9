import { capital } from "#domain/vocabulary.ts";
import { Database } from "../engine/database.ts";
import { Link, type LinkWeather, type Server } from "../engine/link.ts";
import { Machine } from "../engine/machine.ts";
import { Wake, type Scheduler } from "../engine/scheduler.ts";
import { Streams } from "../engine/store.ts";
import { startCentre } from "./centre.ts";
import type { Cores } from "./cores.ts";
import { coordinate } from "./leader.ts";
import { Replication } from "./replication.ts";
import { Screening } from "./screening.ts";
import { makeStreams } from "./streams.ts";
import { copyCapital, copyCentre, emptyCapital, emptyCentre } from "./tables.ts";
import type { Truth } from "./truth.ts";
import type { Coordination, Region, Replica, Store, World } from "./world.ts";

const calm = { lost: 0, answerLost: 0, twice: 0, breaks: 0 };

/** Within one machine or one site. */
const near = (): LinkWeather => ({ delayMsMin: 0.2, delayMsMax: 2, ...calm });
/** Between a region and the capital. */
const far = (): LinkWeather => ({ delayMsMin: 4, delayMsMax: 60, ...calm });

/** Puts the machines of a nation together; nothing runs yet. */
export function buildWorld(
  scheduler: Scheduler,
  size: { readonly regions: readonly string[]; readonly replicas: number },
  parts: { readonly cores: Cores; readonly truth: Truth },
): World {
  const { cores, truth } = parts;
  const still = () => undefined;
  const link = (server: Server, weather: LinkWeather) => new Link(scheduler, server, weather);
  const store = (name: string): Store => ({
    machine: new Machine(scheduler, `${name}/nats`, still),
    streams: new Streams(),
  });
  const hub = store(capital);
  const postgres = {
    machine: new Machine(scheduler, `${capital}/postgres`, still),
    database: new Database(emptyCapital(), copyCapital),
  };
  const coordination = [0, 1].map((index): Coordination => {
    const machine: Machine = new Machine(scheduler, `coordination-${index}`, () =>
      machine.run(coordinate(world, { machine, toHub, toPostgres })),
    );
    const toHub = link(hub.machine, near());
    const toPostgres = link(postgres.machine, near());
    return { machine, toHub, toPostgres };
  });
  const regions = size.regions.map((name): Region => {
    const ownStore = store(name);
    const ownPostgres = {
      machine: new Machine(scheduler, `${name}/postgres`, still),
      database: new Database(emptyCentre(), copyCentre),
    };
    const centre: Machine = new Machine(scheduler, `${name}/centre`, () => startCentre(world, region));
    const replication: Machine = new Machine(scheduler, `${name}/replication`, () => {
      region.replicating = new Replication(world, region);
      region.replicating.run();
    });
    const replicas = Array.from({ length: size.replicas }, (_, index): Replica => {
      const machine: Machine = new Machine(scheduler, `${name}/screening-${index}`, () => {
        replica.running = new Screening(world, region, replica);
        replica.running.run();
      });
      const replica: Replica = {
        name: `screening-${index}`,
        machine,
        toStore: link(ownStore.machine, near()),
        toCentre: link(centre, near()),
        fromHub: link(machine, far()),
        disk: undefined,
        running: undefined,
      };
      return replica;
    });
    const region: Region = {
      name,
      store: ownStore,
      postgres: ownPostgres,
      centre,
      centreToStore: link(ownStore.machine, near()),
      centreToPostgres: link(ownPostgres.machine, near()),
      people: link(centre, near()),
      agreedEpoch: undefined,
      outbox: new Wake(),
      replication,
      replicating: undefined,
      replicationToStore: link(ownStore.machine, near()),
      line: link(hub.machine, far()),
      fromHub: link(replication, far()),
      replicas,
    };
    return region;
  });
  const world: World = {
    scheduler,
    cores,
    truth,
    capital: { hub, postgres, coordination, lock: undefined, orders: [] },
    regions,
  };
  for (const region of regions) makeStreams(region);
  return world;
}
