import { asked } from "../engine/link.ts";
import { Ends, type Work } from "../engine/scheduler.ts";
import type { CapitalTables } from "./tables.ts";
import type { Coordination, World } from "./world.ts";

const askWaitMs = 2_000;

/** Under which name, and in which run of PostgreSQL, a replica leads (services/coordination/store/lead.ts). */
export class Lead {
  readonly #world: World;
  readonly #own: Coordination;
  readonly #name: string;
  readonly #generation: number;

  private constructor(world: World, own: Coordination, name: string) {
    this.#world = world;
    this.#own = own;
    this.#name = name;
    this.#generation = world.capital.postgres.database.generation;
  }

  static *take(world: World, own: Coordination): Work<Lead> {
    const { machine, toPostgres } = own;
    const name = `${machine.name} since ${world.scheduler.nowMs}`;
    const begin = () => {
      const lead = new Lead(world, own, name);
      world.capital.postgres.database.commit(({ single }) => (single.leader = name));
      return lead;
    };
    const lead = yield* asked(toPostgres, begin, askWaitMs);
    if (lead === undefined) throw new Ends("PostgreSQL went away");
    return lead;
  }

  /** Nobody has begun to lead since, and it is the same run of PostgreSQL: looked at where something is written. */
  get isHeld(): boolean {
    const { database } = this.#world.capital.postgres;
    return database.state.single.leader === this.#name && database.generation === this.#generation;
  }

  /** Writes a transaction of this leader. */
  *write<Result>(change: (tables: CapitalTables) => Result): Work<Result> {
    const { database } = this.#world.capital.postgres;
    const write = () => (this.isHeld ? { result: database.commit(change) } : "another one leads");
    const outcome = yield* asked(this.#own.toPostgres, write, askWaitMs);
    if (typeof outcome === "object") return outcome.result;
    throw new Ends(outcome ?? "PostgreSQL went away");
  }
}
