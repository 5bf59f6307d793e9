import type { Command } from "../../../services/coordination/domain/commands.ts";
import type { Database } from "../engine/database.ts";
import type { Link } from "../engine/link.ts";
import type { Machine } from "../engine/machine.ts";
import type { Scheduler, Wake } from "../engine/scheduler.ts";
import type { Streams } from "../engine/store.ts";
import type { Cores } from "./cores.ts";
import type { Replication } from "./replication.ts";
import type { Screening } from "./screening.ts";
import type { CapitalTables, CentreTables } from "./tables.ts";
import type { Truth } from "./truth.ts";

/** A nats-server with its disk. */
export interface Store {
  readonly machine: Machine;
  readonly streams: Streams;
}

/** A PostgreSQL with its disk. */
export interface Postgres<State> {
  readonly machine: Machine;
  readonly database: Database<State>;
}

export interface Replica {
  readonly name: string;
  readonly machine: Machine;
  readonly toStore: Link;
  readonly toCentre: Link;
  /** What runs in it. */
  running: Screening | undefined;
  /** Live messages of the hub. */
  readonly fromHub: Link;
  /** Its snapshot file. */
  disk: { readonly text: string } | undefined;
}

export interface Region {
  readonly name: string;
  readonly store: Store;
  readonly postgres: Postgres<CentreTables>;
  readonly centre: Machine;
  readonly centreToStore: Link;
  readonly centreToPostgres: Link;
  readonly people: Link;
  /** The epoch in which centre's outbox and lanes were brought together; undefined: they are being compared. */
  agreedEpoch: number | undefined;
  /** Something was committed to the outbox. */
  readonly outbox: Wake;
  readonly replication: Machine;
  replicating: Replication | undefined;
  readonly replicationToStore: Link;
  /** The line to the capital, and back for live messages. */
  readonly line: Link;
  readonly fromHub: Link;
  readonly replicas: readonly Replica[];
}

export interface Coordination {
  readonly machine: Machine;
  readonly toHub: Link;
  readonly toPostgres: Link;
}

export interface Capital {
  readonly hub: Store;
  readonly postgres: Postgres<CapitalTables>;
  readonly coordination: readonly Coordination[];
  /** Who holds the advisory lock, and in which session. */
  lock: Lock | undefined;
  readonly orders: Order[];
}

interface Lock {
  readonly holder: Machine;
  readonly incarnation: number;
  readonly generation: number;
}

export interface World {
  readonly scheduler: Scheduler;
  readonly cores: Cores;
  readonly truth: Truth;
  readonly capital: Capital;
  readonly regions: readonly Region[];
}

/** An order of a central prosecutor that waits for the leader. */
export interface Order {
  readonly command: Command<unknown>;
  readonly answer: () => void;
}

/** Every machine of a nation. */
export function machinesOf({ capital: { hub, postgres, coordination }, regions }: World): Machine[] {
  return [
    hub.machine,
    postgres.machine,
    ...coordination.map(({ machine }) => machine),
    ...regions.flatMap((region) => [
      region.store.machine,
      region.postgres.machine,
      region.centre,
      region.replication,
      ...region.replicas.map(({ machine }) => machine),
    ]),
  ];
}
