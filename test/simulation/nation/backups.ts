import { hubStream, lanes, regionStream } from "#proto/names.ts";
import type { StreamBackup } from "../engine/store.ts";
import { epochsToRead } from "./capital-tables.ts";
import { excuseWhatIsGone } from "./survival.ts";
import type { CapitalTables, CentreTables } from "./tables.ts";
import type { Region, World } from "./world.ts";

interface Copy {
  readonly streams: ReadonlyMap<string, StreamBackup>;
  readonly tables: CentreTables;
}

type HubCopy = ReadonlyMap<string, StreamBackup>;

/**
 * Copies kept of each site; the oldest goes first. Those of the capital and the
 * hub after one that is put back are of a history that goes on no more.
 */
const copiesMax = 4;

/** Older copies of disks, and what comes of putting one back. */
export class Backups {
  readonly #world: World;
  readonly #regions = new Map<string, Copy[]>();
  readonly #hub: HubCopy[] = [];
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
    const { scheduler, capital, regions, truth } = this.#world;
    if (this.#hub.length === 0) return "no copy yet";
    const copy = scheduler.pick(this.#hub);
    const committed = capital.postgres.database.state;
    if (isOnlyInRegions(this.#world, committed, copy)) return "not the hub: only regions would have the rest";
    const here = capital.hub.streams.find(hubStream.national(1))?.last ?? 0;
    const last = Math.max(committed.log.length, lastIn(copy, hubStream.national(1)));
    capital.hub.machine.kill("its disk is replaced by an older copy", this.#downMs());
    capital.hub.streams.restore(copy);
    this.#hub.splice(this.#hub.indexOf(copy) + 1);
    if (last < here) truth.forgetAfter(last);
    const gone = regions.map((region) => excuseWhatIsGone(this.#world, region));
    return `the hub, ${gone.reduce((sum, each) => sum + each, 0)} acknowledged are nowhere any more`;
  }

  /** PostgreSQL of the capital: what was committed and is not at the hub yet is nowhere any more. */
  restoreCapital(): string {
    const { scheduler, capital, truth } = this.#world;
    if (this.#capital.length === 0) return "no copy yet";
    const copy = scheduler.pick(this.#capital);
    if (isOnlyInRegions(this.#world, copy, capital.hub.streams.backup()))
      return "not the capital's database: only regions would have the rest";
    const last = Math.max(capital.hub.streams.find(hubStream.national(1))?.last ?? 0, copy.log.length);
    const lost = capital.postgres.database.state.log.length - last;
    // Whoever puts it back stops what writes into it: a leader that was stopped at exactly that copy knows no better.
    for (const { machine } of capital.coordination) machine.kill("its database is put back");
    capital.postgres.machine.kill("its disk is replaced by an older copy", this.#downMs());
    capital.postgres.database.restore(copy);
    truth.putBack(copy);
    this.#capital.splice(this.#capital.indexOf(copy) + 1);
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

function lastIn(copy: HubCopy, stream: string): number {
  const kept = copy.get(stream);
  return kept === undefined ? 0 : kept.first + kept.messages.length - 1;
}

/**
 * Whether regions may have more of what the capital said than its database and
 * the hub, or use an epoch that neither knows of: that needs a person.
 */
function isOnlyInRegions({ regions, truth }: World, tables: CapitalTables, hub: HubCopy): boolean {
  const isLess = (stream: string, committed: number) =>
    Math.max(committed, lastIn(hub, stream)) < (truth.published.get(stream) ?? 0);
  const isUnknown = ({ name, store }: Region) => {
    let epoch = epochsToRead(tables, name).at(-1) ?? 1;
    while (lanes.some((lane) => lastIn(hub, hubStream.up(lane, name, epoch)) > 0)) epoch += 1;
    return lanes.some((lane) => store.streams.find(regionStream.lane(lane, epoch + 1)) !== undefined);
  };
  return (
    isLess(hubStream.national(1), tables.log.length) ||
    regions.some(
      (region) =>
        isUnknown(region) ||
        isLess(hubStream.forRegion(region.name, 1), tables.regionLogs.get(region.name)?.length ?? 0),
    )
  );
}
