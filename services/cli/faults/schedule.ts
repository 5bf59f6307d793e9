/**
 * What is done to a nation, and when: a pure function of the seed, so that a
 * failing run can be repeated.
 */

/**
 * All of it heals by itself, whenever it happens. A region's NATS store that
 * comes back older may open a new epoch of its lanes, of which the hub lists
 * eight: more than about a dozen runs want another nation.
 */
export const faultKinds = [
  "kill",
  "pause",
  "cut",
  "slow",
  "half-open",
  "disk-full",
  "clock",
  "restore-nats",
  "restore-postgres",
  "restore-both",
  "restore-hub",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type Fault =
  /** Several at once, for a hub that loses all its nodes. */
  | { readonly kind: "kill"; readonly site: string; readonly services: readonly string[] }
  | { readonly kind: "pause"; readonly site: string; readonly service: string; readonly forMs: number }
  | { readonly kind: "cut" | "half-open"; readonly site: string; readonly forMs: number }
  | {
      readonly kind: "slow";
      readonly site: string;
      readonly forMs: number;
      readonly latencyMs: number;
      readonly bytesPerSecond: number;
    }
  | { readonly kind: "disk-full"; readonly site: string; readonly service: string; readonly forMs: number }
  | { readonly kind: "clock"; readonly site: string; readonly forMs: number; readonly aheadSeconds: number }
  | {
      readonly kind: "restore-nats" | "restore-postgres" | "restore-both" | "restore-hub";
      readonly site: string;
      readonly services: readonly string[];
      /** How old the copy is that is put back. */
      readonly ageMs: number;
    };

export interface ScheduledFault {
  /** After the previous fault. */
  readonly afterMs: number;
  readonly fault: Fault;
}

export interface SchedulePlan {
  readonly seed: number;
  readonly regions: readonly string[];
  /** Processes of the hub's nodes. */
  readonly hub: readonly string[];
  /** Kinds that may occur. */
  readonly kinds: readonly FaultKind[];
  readonly kills: number;
  /** Faults of the other kinds, no kind twice before each was there. */
  readonly others: number;
  /** Between two faults, at most (at least a fifth of it). */
  readonly gapMsMax: number;
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, public domain by T. Ettinger). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const capital = "capital";
/** The kinds of processes of a region, as `qalqan local kill` names them. */
const regionServices = ["nats", "postgres", "screening", "centre", "replication"] as const;

interface Target {
  readonly site: string;
  readonly service: string;
}

/** Choices of one seed. */
class Choice {
  readonly random: () => number;
  readonly #plan: SchedulePlan;

  constructor(plan: SchedulePlan) {
    this.random = randomFrom(plan.seed);
    this.#plan = plan;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least));
  }

  get region(): string {
    return this.pick(this.#plan.regions);
  }

  get site(): string {
    return this.pick([...this.#plan.regions, capital]);
  }

  /** One process of each kind: a region's services in some region, the capital's, the hub's nodes. */
  get processes(): readonly Target[] {
    const ofCapital = [...this.#plan.hub, "postgres", "coordination"];
    return [
      ...regionServices.map((service) => ({ site: this.region, service })),
      ...ofCapital.map((service) => ({ site: capital, service })),
    ];
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => ({ item, place: this.random() }))
      .sort((left, right) => left.place - right.place)
      .map(({ item }) => item);
  }

  kill(target: Target): Fault {
    // Now and then the whole hub goes at once.
    const isWholeHub = this.#plan.hub.includes(target.service) && this.random() < wholeHubShare;
    return {
      kind: "kill",
      site: target.site,
      services: isWholeHub && target.site === capital ? this.#plan.hub : [target.service],
    };
  }

  fault(kind: FaultKind): Fault {
    const { region } = this;
    switch (kind) {
      case "kill":
        return this.kill(this.pick(this.processes));
      case "pause":
        return { kind, ...this.pick(this.processes), forMs: this.between(500, 3_000) };
      case "cut":
        return { kind, site: region, forMs: this.between(1_000, 6_000) };
      case "half-open":
        return { kind, site: region, forMs: this.between(2_000, 8_000) };
      case "slow":
        return {
          kind,
          site: region,
          forMs: this.between(2_000, 6_000),
          latencyMs: this.between(20, 400),
          bytesPerSecond: this.between(20_000, 500_000),
        };
      case "disk-full": {
        const stores = this.processes.filter(({ service }) => /^(nats|postgres)/.test(service));
        return { kind, ...this.pick(stores), forMs: this.between(1_000, 4_000) };
      }
      case "clock": {
        const sign = this.pick([-1, 1]);
        return {
          kind,
          site: this.site,
          forMs: this.between(3_000, 6_000),
          aheadSeconds: sign * this.between(30, 3_600),
        };
      }
      case "restore-nats":
        return { kind, site: region, services: ["nats"], ageMs: this.between(1_500, 6_000) };
      case "restore-postgres":
        return { kind, site: region, services: ["postgres"], ageMs: this.between(1_500, 6_000) };
      case "restore-both":
        return { kind, site: region, services: ["nats", "postgres"], ageMs: this.between(1_500, 6_000) };
      case "restore-hub":
        return { kind, site: capital, services: this.#plan.hub, ageMs: this.between(1_500, 6_000) };
      default:
        return kind satisfies never;
    }
  }
}

const wholeHubShare = 0.15;

/**
 * Every kind of process is killed about equally often, in sites chosen by the
 * seed; then the order of everything is shuffled.
 */
export function scheduleOf(plan: SchedulePlan): ScheduledFault[] {
  const choice = new Choice(plan);
  const victims = choice.shuffled(choice.processes);
  const kills = plan.kinds.includes("kill") ? plan.kills : 0;
  const others = plan.kinds.filter((kind) => kind !== "kill");
  const rounds = Math.ceil(plan.others / Math.max(1, others.length));
  const chosen = Array.from({ length: rounds }, () => choice.shuffled(others)).flat();
  const faults = [
    ...Array.from({ length: kills }, (_, index) => victims[index % victims.length])
      .filter((target) => target !== undefined)
      .map((target) => choice.kill(target)),
    ...chosen.slice(0, plan.others).map((kind) => choice.fault(kind)),
  ];
  return choice.shuffled(faults).map((fault) => ({
    afterMs: Math.floor(plan.gapMsMax * (0.2 + 0.8 * choice.random())),
    fault,
  }));
}

/** One line for people. */
export function describeFault(fault: Fault): string {
  const { kind, site } = fault;
  switch (fault.kind) {
    case "kill":
      return `kill -9 ${fault.services.map((service) => `${site}/${service}`).join(", ")}`;
    case "pause":
    case "disk-full":
      return `${kind} ${site}/${fault.service} for ${fault.forMs} ms`;
    case "cut":
    case "half-open":
      return `${kind} ${site} for ${fault.forMs} ms`;
    case "slow":
      return `${kind} ${site} (${fault.latencyMs} ms, ${fault.bytesPerSecond} bytes/s) for ${fault.forMs} ms`;
    case "clock":
      return `${kind} ${site} by ${fault.aheadSeconds} s for ${fault.forMs} ms`;
    case "restore-nats":
    case "restore-postgres":
    case "restore-both":
    case "restore-hub":
      return `${kind} ${site}/${fault.services.join("+")} to ${fault.ageMs} ms ago`;
    default:
      return fault satisfies never;
  }
}
