import type { StopSetting, TrunkSetting } from "./overlay-events.ts";
import { stopOverrides, trunkOverrides } from "./setting-order.ts";
import type { Trunk } from "./trunk.ts";
import { trunkDirections, trunkModes } from "./trunk.ts";

/**
 * The trunks of a region and its stop switches. Of each setting one counts
 * (setting-order.ts), so that order and repetition never matter.
 */
export class RegionTrunks {
  readonly #trunks = new Map<string, Trunk>();
  /** By carrier; the empty carrier is the whole region. */
  readonly #stops = new Map<string, StopSetting>();

  /** A trunk whose direction only a newer release knows is passed over; an unknown mode alters no call. */
  applyTrunk(setting: TrunkSetting): void {
    const direction = trunkDirections.find((each) => each === setting.direction);
    const mode = trunkModes.find((each) => each === setting.mode) ?? "shadow";
    const known = this.#trunks.get(setting.trunk);
    if (direction !== undefined && (known === undefined || trunkOverrides(setting, known))) {
      const { trunk: id, operator, sbcAddress, percent, revision } = setting;
      this.#trunks.set(id, { id, direction, operator, sbcAddress, mode, percent, revision });
    }
  }

  applyStop(stop: StopSetting): void {
    const known = this.#stops.get(stop.carrier);
    if (known === undefined || stopOverrides(stop, known)) {
      const { revision, stopped, person, carrier } = stop;
      this.#stops.set(carrier, { revision, stopped, person, carrier });
    }
  }

  /** Undefined for a trunk that this region does not know. */
  trunk(id: string): Trunk | undefined {
    return this.#trunks.get(id);
  }

  trunks(): Iterable<Trunk> {
    return this.#trunks.values();
  }

  stops(): Iterable<StopSetting> {
    return this.#stops.values();
  }

  /** Whether the region's own stop switch is on. */
  get regionStopped(): boolean {
    return this.#stops.get("")?.stopped ?? false;
  }

  /** Whether the region is stopped, or the trunk's carrier stopped its trunks. */
  isStopped(trunk: string): boolean {
    const carrier = this.#trunks.get(trunk)?.operator ?? "";
    return this.regionStopped || (this.#stops.get(carrier)?.stopped ?? false);
  }

  /** Puts back what trunks() and stops() gave. */
  restore(trunks: Iterable<Trunk>, stops: Iterable<StopSetting>): void {
    for (const trunk of trunks) {
      this.#trunks.set(trunk.id, trunk);
    }
    for (const stop of stops) {
      this.#stops.set(stop.carrier, stop);
    }
  }
}
