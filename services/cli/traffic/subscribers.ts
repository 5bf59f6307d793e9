import type { Chance } from "./chance.ts";
import type { Population } from "./population.ts";

/** A region as far as its calls go. */
export interface RegionOfCalls {
  readonly slug: string;
  /** Without the country code. */
  readonly areaCodes: readonly string[];
  readonly sizeClass: keyof Population["regionWeights"];
}

/** Digits after +7. */
const nationalDigits = 10;

/** A subscriber inside the country. */
export interface Subscriber {
  readonly number: string;
  readonly kind: "mobile" | "fixed";
  readonly region: RegionOfCalls;
}

/** Draws the people, and the machines, that call and are called. */
export class Subscribers {
  readonly #population: Population;
  readonly #chance: Chance;
  readonly #regions: readonly { value: RegionOfCalls; weight: number }[];
  readonly #foreign: readonly { value: Population["foreign"][number]; weight: number }[];
  readonly #walks: { first: bigint; walked: number }[] = [];

  /** @param regions those that take part; at least one */
  constructor(population: Population, chance: Chance, regions: readonly RegionOfCalls[]) {
    this.#population = population;
    this.#chance = chance;
    this.#regions = regions.map((value) => ({ value, weight: population.regionWeights[value.sizeClass] }));
    this.#foreign = population.foreign.map((value) => ({ value, weight: value.weight }));
  }

  anyone(): Subscriber {
    const region = this.#chance.weighted(this.#regions);
    return this.#chance.happens(this.#population.subscribers.fixedShare)
      ? this.#fixed(region)
      : this.#mobile(region);
  }

  withMobile(): Subscriber {
    return this.#mobile(this.#chance.weighted(this.#regions));
  }

  withFixedLine(): Subscriber {
    return this.#fixed(this.#chance.weighted(this.#regions));
  }

  /** A region other than this one; undefined where there is no other. */
  otherRegion(than: string): string | undefined {
    const others = this.#regions.filter(({ value }) => value.slug !== than);
    return others.length === 0 ? undefined : this.#chance.weighted(others).slug;
  }

  foreigner(): string {
    const { prefix, digits } = this.#chance.weighted(this.#foreign);
    return prefix + this.#chance.digits(digits);
  }

  /** The next number of one of the walks under way; a walked block gives way to a new one. */
  walking(): string {
    const { activeWalks, blockSize } = this.#population.walkingRanges;
    const place = this.#chance.below(activeWalks);
    const walk = this.#walks[place];
    const current = walk === undefined || walk.walked === blockSize ? this.#newWalk() : walk;
    this.#walks[place] = current;
    const number = `+${current.first + BigInt(current.walked)}`;
    current.walked++;
    return number;
  }

  #newWalk(): { first: bigint; walked: number } {
    const { prefixes, numberDigits, blockSize } = this.#population.walkingRanges;
    const prefix = this.#chance.pick(prefixes).slice(1);
    const drawn = BigInt(prefix + this.#chance.digits(numberDigits - prefix.length));
    // A block begins at a multiple of its size, so that it stays below its prefix.
    return { first: drawn - (drawn % BigInt(blockSize)), walked: 0 };
  }

  #mobile(region: RegionOfCalls): Subscriber {
    const code = this.#chance.weighted(this.#population.subscribers.mobileCodeWeights);
    return {
      number: `+7${code}${this.#chance.digits(nationalDigits - code.length)}`,
      kind: "mobile",
      region,
    };
  }

  #fixed(region: RegionOfCalls): Subscriber {
    const code = this.#chance.pick(region.areaCodes);
    return { number: `+7${code}${this.#chance.digits(nationalDigits - code.length)}`, kind: "fixed", region };
  }
}
