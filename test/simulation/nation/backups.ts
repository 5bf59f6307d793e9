import { hubStream } from "#proto/names.ts";
import type { StreamBackup } from "../engine/store.ts";
import { excuseWhatIsGone } from "./survival.ts";
import type { CapitalTables, CentreTables } from "./tables.ts";
import type { Region, World } from "./world.ts";

interface Copy {
  readonly streams: ReadonlyMap<string, StreamBackup>;
  readonly tables: CentreTables;
}

/** Copies kept of each site; the oldest goes first. */
const copiesMax = 4;

/** Older copies of disks, and what comes of putting one back. */
export class Backups {
  readonly #world: World;
  readonly #regions = new Map<string, Copy[]>();
  readonly #hub: ReadonlyMap<string, StreamBackup>[] = [];
  readonly #capital: CapitalTables[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Copies everything that is kept now. */
  take(): void {
    for (const { name, store, postgres } of this.#world.regions) {
      const copies = this.#regions.get(name) ?? [];
      copies.push({ streams: store.streams.backup(), tables: postgres.database.backup() });
      this.#regions.set(name, copies.slice(-copiesMax));
    }
    const { hub, postgres } = this.#world.capital;
    this.#hub.push(hub.streams.backup());
    if (this.#hub.length > copiesMax) this.#hub.shift();
    this.#capital.push(postgres.database.backup());
    if (this.#capital.length > copiesMax) this.#capital.shift();
  }

  /** @param what of the region comes from the older copy */
  restore(region: Region, what: { readonly store: boolean; readonly database: boolean }): string {
    const { scheduler, truth } = this.#world;
    const copies = this.#regions.get(region.name) ?? [];
    if (copies.length === 0) return "no copy yet";
    const copy = scheduler.pick(copies);
    const before = region.postgres.database.backup();
    truth.olderDisks.set(region.name, scheduler.nowMs);
    if (what.store) {
      region.store.machine.kill("its disk is replaced by an older copy", this.#downMs());
      region.store.streams.restore(copy.streams);
    }
    if (what.database) {
      region.postgres.machine.kill("its disk is replaced by an older copy", this.#downMs());
      region.postgres.database.restore(copy.tables);
      truth.forgetPerformed(region.name);
    }
    return `${region.name}, ${excuseWhatIsGone(this.#world, region, before)} acknowledged are nowhere any more`;
  }

  /** Nobody puts a backup back within a second. */
  #downMs(): number {
    return this.#world.scheduler.between(2_000, 6_000);
  }

  restoreHub(): string {
    const { scheduler, capital, regions } = this.#world;
    if (this.#hub.length === 0) return "no copy yet";
    capital.hub.machine.kill("its disk is replaced by an older copy", this.#downMs());
    capital.hub.streams.restore(scheduler.pick(this.#hub));
    const gone = regions.map((region) => excuseWhatIsGone(this.#world, region));
    return `the hub, ${gone.reduce((sum, each) => sum + each, 0)} acknowledged are nowhere any more`;
  }

  /** PostgreSQL of the capital: what was committed and is not at the hub yet is nowhere any more. */
  restoreCapital(): string {
    const { scheduler, capital, truth } = this.#world;
    if (this.#capital.length === 0) return "no copy yet";
    const last = capital.hub.streams.find(hubStream.national(1))?.last ?? 0;
    const lost = capital.postgres.database.state.log.length - last;
    // Whoever puts it back stops what writes into it: a leader that was stopped at exactly that copy knows no better.
    for (const { machine } of capital.coordination) machine.kill("its database is put back");
    capital.postgres.machine.kill("its disk is replaced by an older copy", this.#downMs());
    capital.postgres.database.restore(scheduler.pick(this.#capital));
    if (lost > 0) truth.forgetAfter(last);
    return `the capital's database, ${lost} messages of NATIONAL are nowhere any more`;
  }

  /** Both come back older, each from some copy: they may agree with each other, and with nothing that the capital read. */
  restoreHubAndStore(region: Region): string {
    return `${this.restoreHub()}; ${this.restore(region, { store: true, database: false })}`;
  }

  /** The region's server comes back without the end of what it said was on its disk. */
  loseTails(region: Region): string {
    const { scheduler, truth } = this.#world;
    truth.olderDisks.set(region.name, scheduler.nowMs);
    region.store.machine.kill("power failure");
    for (const stream of region.store.streams.all()) {
      if (scheduler.chance(0.6)) stream.loseTail(1 + scheduler.pickNumber(6));
    }
    return `${region.name}, ${excuseWhatIsGone(this.#world, region)} acknowledged are nowhere any more`;
  }
}
