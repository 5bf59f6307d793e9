import type { ScreenRequest } from "#proto/qalqan/screening/v1/screening.ts";
import { Chance, type Weighted } from "./chance.ts";
import { truthKinds, type Population, type TruthKind } from "./population.ts";
import { Subscribers, type RegionOfCalls } from "./subscribers.ts";

/** What a switch asks; number and time of the question are the switch's own. */
export interface Question {
  /** The region whose screening is asked. */
  readonly region: string;
  readonly request: Omit<ScreenRequest, "requestId" | "atMs">;
}

/** One call attempt, as nobody but the simulator knows it. */
export interface Call {
  readonly kind: TruthKind;
  /** Repeats the two numbers of an earlier call. */
  readonly redial: boolean;
  /** E.164; empty: withheld. */
  readonly calling: string;
  /** E.164, or a short code. */
  readonly called: string;
  /** Slug of the called person's region as area code or carrier say; empty: unattributed. */
  readonly attributedTo: string;
  /** What joins the questions of its switches; `none`: each region makes a key of its own. */
  readonly identifier: "charging-id" | "call-id" | "none";
  /** One or two, in different regions. */
  readonly questions: readonly Question[];
}

/** What the population does not say: where, and with which numbers. */
export interface World {
  /** Begins every charging id and Call-ID: no two runs may share it, or their calls would be taken for one. */
  readonly run: string;
  readonly regions: readonly RegionOfCalls[];
  /** E.164, with repeats. */
  readonly campaignNumbers: readonly string[];
  /** E.164. */
  readonly protectedNumbers: readonly string[];
}

/** Who calls whom, and where: what a redial repeats. */
interface Pair {
  readonly calling: string;
  readonly called: string;
  readonly trunk: string;
  readonly international: boolean;
  readonly region: string;
  readonly attributedTo: string;
  readonly carrierSays: string;
}

/** Pairs that may be redialled, per kind: the latest. */
const rememberedPairsMax = 1_000;

/**
 * The calls of a seed, without end. Pure: the same population, seed and world
 * give the same calls in the same order.
 */
export function* callsOf(population: Population, seed: number, world: World): Generator<Call, never> {
  const maker = new CallMaker(population, new Chance(seed), world);
  for (;;) yield maker.next();
}

class CallMaker {
  readonly #population: Population;
  readonly #chance: Chance;
  readonly #world: World;
  readonly #subscribers: Subscribers;
  readonly #kinds: readonly Weighted<TruthKind>[];
  readonly #pairs = new Map<TruthKind, Pair[]>();
  #made = 0;

  constructor(population: Population, chance: Chance, world: World) {
    this.#population = population;
    this.#chance = chance;
    this.#world = world;
    this.#subscribers = new Subscribers(population, chance, world.regions);
    // Where no number is protected, nobody can show one.
    const kinds = truthKinds.filter(
      (kind) => kind !== "forged-protected" || world.protectedNumbers.length > 0,
    );
    this.#kinds = kinds.map((kind) => ({ value: kind, weight: population.callShares[kind] }));
  }

  next(): Call {
    const kind = this.#chance.weighted(this.#kinds);
    const known = this.#pairs.get(kind) ?? [];
    const redial = known.length > 0 && this.#chance.happens(this.#population.redialShares[kind]);
    const pair = redial ? this.#chance.pick(known) : this.#pairOf(kind);
    // Without an id, two attempts of one pair within ten seconds are one call to the platform:
    // such a call is no redial and gets none, so that the truth stays countable.
    const identifier = redial ? "charging-id" : this.#identifier();
    if (!redial && identifier !== "none") this.#remember(kind, pair);
    const { calling, called, attributedTo } = pair;
    const questions = this.#questions(pair, identifier);
    return { kind, redial, calling, called, attributedTo, identifier, questions };
  }

  #identifier(): Call["identifier"] {
    const { chargingIdShare, callIdShare } = this.#population.identifiers;
    const drawn = this.#chance.number();
    if (drawn < chargingIdShare) return "charging-id";
    return drawn < chargingIdShare + callIdShare ? "call-id" : "none";
  }

  #remember(kind: TruthKind, pair: Pair): void {
    const known = this.#pairs.get(kind) ?? [];
    if (known.length < rememberedPairsMax) known.push(pair);
    else known[this.#chance.below(rememberedPairsMax)] = pair;
    this.#pairs.set(kind, known);
  }

  #pairOf(kind: TruthKind): Pair {
    switch (kind) {
      case "ordinary-domestic":
        return this.#toSubscriber(this.#shownOrWithheld(this.#subscribers.anyone().number), "domestic");
      case "ordinary-foreign":
        return this.#toSubscriber(this.#shownOrWithheld(this.#subscribers.foreigner()), "international");
      case "campaign":
        return this.#toSubscriber(this.#chance.pick(this.#world.campaignNumbers), "international");
      case "walking-range":
        return this.#toSubscriber(this.#subscribers.walking(), "international");
      case "forged-mobile":
        return this.#toSubscriber(this.#subscribers.withMobile().number, "international");
      case "forged-fixed":
        return this.#toSubscriber(this.#subscribers.withFixedLine().number, "international");
      case "forged-protected":
        return this.#toSubscriber(this.#chance.pick(this.#world.protectedNumbers), "international");
      case "emergency":
        return this.#emergency();
    }
  }

  #shownOrWithheld(number: string): string {
    return this.#chance.happens(this.#population.withheldShare) ? "" : number;
  }

  #toSubscriber(calling: string, from: keyof Population["trunks"]): Pair {
    const { number: called, kind, region } = this.#subscribers.anyone();
    const says = this.#chance.happens(this.#population.subscribers.carrierSaysRegionShare);
    const carrierSays = kind === "mobile" && says ? region.slug : "";
    return {
      calling,
      called,
      trunk: this.#chance.weighted(this.#population.trunks[from]),
      international: from === "international",
      region: this.#screenedBy(region.slug),
      attributedTo: kind === "fixed" ? region.slug : carrierSays,
      carrierSays,
    };
  }

  #emergency(): Pair {
    const { codeWeights, fromCampaignShare } = this.#population.emergency;
    const caller = this.#subscribers.anyone();
    const blocked = this.#chance.happens(fromCampaignShare);
    return {
      calling: blocked ? this.#chance.pick(this.#world.campaignNumbers) : caller.number,
      called: this.#chance.weighted(codeWeights),
      trunk: this.#chance.weighted(this.#population.trunks[blocked ? "international" : "domestic"]),
      international: blocked,
      region: caller.region.slug,
      attributedTo: "",
      carrierSays: "",
    };
  }

  #screenedBy(home: string): string {
    const atHome = this.#chance.happens(this.#population.screenedAtHomeShare);
    return atHome ? home : (this.#subscribers.otherRegion(home) ?? home);
  }

  #questions(pair: Pair, identifier: Call["identifier"]): readonly Question[] {
    const name = `${this.#world.run}-${this.#made++}`;
    const shown = this.#written(pair.calling, pair.international ? "international" : "national");
    const request: Question["request"] = {
      callingNumber: shown,
      assertedNumber: this.#chance.happens(this.#population.assertedShare) ? shown : "",
      calledNumber: this.#written(pair.called, "national"),
      trunk: pair.trunk,
      chargingId: identifier === "charging-id" ? name : "",
      callId: identifier === "call-id" ? `${name}@switch` : "",
      diversionNumber: "",
      attributedTo: pair.carrierSays,
      trial: false,
      explain: false,
    };
    const first: Question = { region: pair.region, request };
    const other = this.#chance.happens(this.#population.secondSwitchShare)
      ? this.#subscribers.otherRegion(pair.region)
      : undefined;
    return other === undefined ? [first] : [first, { region: other, request }];
  }

  /** A number as a switch writes it. */
  #written(number: string, form: keyof Population["dialledForms"]): string {
    const prefix = this.#chance.weighted(this.#population.dialledForms[form]);
    if (!number.startsWith("+")) return number;
    return prefix + (form === "national" ? number.slice("+7".length) : number.slice("+".length));
  }
}
