/**
 * What is done to a nation, and when: a pure function of the seed, so that a
 * failing run can be repeated.
 */

/** The kinds of processes of a stack, as `qalqan local kill` names them. */
export const regionServices = ["nats", "postgres", "screening", "centre", "replication"] as const;
export const capitalServices = ["nats", "postgres", "coordination"] as const;

export type Fault =
  | { readonly kind: "kill"; readonly stack: string; readonly service: string }
  | { readonly kind: "pause"; readonly stack: string; readonly service: string; readonly forMs: number }
  | { readonly kind: "cut"; readonly stack: string; readonly forMs: number };

export interface ScheduledFault {
  /** After the previous fault. */
  readonly afterMs: number;
  readonly fault: Fault;
}

export interface SchedulePlan {
  readonly seed: number;
  readonly regions: readonly string[];
  readonly kills: number;
  readonly pauses: number;
  readonly cuts: number;
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

/**
 * Every kind of process is killed about equally often, in stacks chosen by the
 * seed; then the order of everything is shuffled.
 */
export function scheduleOf(plan: SchedulePlan): ScheduledFault[] {
  const random = randomFrom(plan.seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  };
  const kinds = [
    ...regionServices.map((service) => ({ service, stacks: plan.regions })),
    ...capitalServices.map((service) => ({ service, stacks: ["capital"] })),
  ];
  const faults: Fault[] = [];
  for (let index = 0; index < plan.kills; index++) {
    const kind = kinds[index % kinds.length];
    if (kind !== undefined) faults.push({ kind: "kill", stack: pick(kind.stacks), service: kind.service });
  }
  for (let index = 0; index < plan.pauses; index++) {
    const kind = pick(kinds);
    const forMs = 500 + Math.floor(random() * 2_500);
    faults.push({ kind: "pause", stack: pick(kind.stacks), service: kind.service, forMs });
  }
  for (let index = 0; index < plan.cuts; index++) {
    faults.push({ kind: "cut", stack: pick(plan.regions), forMs: 2_000 + Math.floor(random() * 6_000) });
  }
  return shuffled(faults, random).map((fault) => ({
    afterMs: Math.floor(plan.gapMsMax * (0.2 + 0.8 * random())),
    fault,
  }));
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((left, right) => left.place - right.place)
    .map(({ item }) => item);
}

/** One line for people. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case "kill":
      return `kill -9 ${fault.stack}/${fault.service}`;
    case "pause":
      return `pause ${fault.stack}/${fault.service} for ${fault.forMs} ms`;
    case "cut":
      return `cut ${fault.stack} for ${fault.forMs} ms`;
  }
}
