import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  planReconcile,
  type LaneEntry,
  type LaneKnowledge,
  type ReconcilePlan,
} from "../../services/centre/domain/reconcile.ts";

interface Row {
  number: number;
  content: string;
}

/** PostgreSQL as far as an outbox goes: rows by number, and the counter. */
interface Outbox {
  rows: Row[];
  counter: number;
}

/** A lane as the region's centre sees it: epochs of own events; `begin` is what EpochOpened says was used before. */
interface LaneEpoch {
  begin: number;
  messages: Row[];
  own: Row[];
}

/**
 * One centre with its lane, in which everything may be restored from an older
 * copy at any moment. What the hub has is never lost here: it is what the
 * region's epochs hold together.
 */
class World {
  outbox: Outbox = { rows: [], counter: 0 };
  epochs: LaneEpoch[] = [{ begin: 0, messages: [], own: [] }];
  copies: Outbox[] = [];
  #accepted = 0;

  get #lane(): LaneEpoch {
    const lane = this.epochs.at(-1);
    if (lane === undefined) throw new Error("a lane always has an epoch");
    return lane;
  }

  get laneNumber(): number {
    return Math.max(this.#lane.begin, ...this.#lane.own.map(({ number }) => number));
  }

  accept(): void {
    this.#accepted += 1;
    this.outbox.counter += 1;
    this.outbox.rows.push({ number: this.outbox.counter, content: `event ${this.#accepted}` });
  }

  /** What the pump does: rows that nobody has stored, each beyond the last. */
  send(count: number): void {
    for (const row of this.#unsent().slice(0, count)) {
      expect(row.number).toBeGreaterThan(this.laneNumber);
      this.#lane.own.push(row);
      this.#lane.messages.push(row);
    }
  }

  #unsent(): Row[] {
    const inLane = new Set(this.messages().map(({ content }) => content));
    return this.outbox.rows
      .filter(({ content }) => !inLane.has(content))
      .toSorted((left, right) => left.number - right.number);
  }

  messages(): LaneEntry[] {
    return this.epochs.flatMap(({ messages }, index) =>
      messages.map((row, at) => ({ ...row, epoch: index + 1, sequence: at + 1 })),
    );
  }

  copy(): void {
    this.copies.push(structuredClone(this.outbox));
  }

  restoreOutbox(which: number): void {
    const copy = this.copies[which % Math.max(1, this.copies.length)];
    if (copy !== undefined) this.outbox = structuredClone(copy);
  }

  /** The region's store lost its tail, the hub has it up to `hub`: a new epoch with the rest of both fed again. */
  fork(kept: number, hub: number, mine: number): void {
    const lane = this.#lane;
    const begin = this.laneNumber;
    const atHub = lane.messages.slice(0, Math.max(hub, kept));
    const common = lane.messages.slice(0, Math.min(kept, atHub.length));
    lane.messages = common;
    lane.own = lane.own.filter((row) => common.includes(row));
    this.reconcile();
    this.send(mine);
    const refed = [...atHub.slice(common.length), ...lane.messages.slice(common.length)];
    const used = Math.max(begin, this.laneNumber, ...refed.map(({ number }) => number));
    this.epochs.push({ begin: used, messages: refed, own: [] });
  }

  knowledge(): LaneKnowledge {
    const rows = this.outbox.rows.toSorted((left, right) => left.number - right.number);
    return {
      ...{ agreed: 0, rows, messages: this.messages() },
      ...{ laneNumber: this.laneNumber, counter: this.outbox.counter },
    };
  }

  reconcile(): void {
    const { takeBack, waiting, counter } = planReconcile(this.knowledge());
    const moved = new Map(waiting.map(({ from, to }) => [from, to]));
    this.outbox = {
      rows: [
        ...this.outbox.rows.map((row) => ({ ...row, number: moved.get(row.number) ?? row.number })),
        ...takeBack.map(({ message, number }) => ({ number, content: message.content })),
      ],
      counter,
    };
  }
}

type Step =
  | { readonly kind: "accept" }
  | { readonly kind: "copy" }
  | { readonly kind: "reconcile" }
  | { readonly kind: "send"; readonly count: number }
  | { readonly kind: "restore"; readonly count: number }
  | { readonly kind: "fork"; readonly kept: number; readonly hub: number; readonly mine: number };

const small = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "accept" } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("send" as const), count: small }) },
  fc.constant({ kind: "copy" } as const),
  fc.constant({ kind: "reconcile" } as const),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restore" as const), count: small }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("fork" as const), kept: small, hub: small, mine: small }),
  },
);

/** Whatever is restored, the centre reconciles before it sends again. */
function carryOut(world: World, each: Step): void {
  switch (each.kind) {
    case "accept":
      return world.accept();
    case "copy":
      return world.copy();
    case "reconcile":
      return world.reconcile();
    case "restore":
      return world.restoreOutbox(each.count);
    case "fork":
      return world.fork(each.kept, each.hub, each.mine);
    case "send":
      world.reconcile();
      return world.send(each.count);
    default:
      return each satisfies never;
  }
}

function run(steps: readonly Step[]): World {
  const world = new World();
  for (const each of steps) {
    carryOut(world, each);
  }
  return world;
}

const contents = (rows: readonly { content: string }[]) => rows.map(({ content }) => content).toSorted();

/** Nothing is taken back, and what waits keeps its number. */
function isInOrder({ takeBack, waiting }: ReconcilePlan): boolean {
  return takeBack.length === 0 && waiting.every(({ from, to }) => from === to);
}

describe("an outbox and its lane, either restored from an older copy at any moment", () => {
  test("hold the same in the end: nothing of either is lost, nothing is there twice", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = run(steps);
        const before = new Set([...contents(world.outbox.rows), ...contents(world.messages())]);
        world.reconcile();
        expect(contents(world.outbox.rows)).toEqual([...before].toSorted());
        world.send(Number.POSITIVE_INFINITY);
        expect(new Set(contents(world.messages()))).toEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  test("give every row a number of its own, and what waits one that the lane has not seen", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = run(steps);
        const highest = Math.max(world.laneNumber, ...world.messages().map(({ number }) => number));
        const { waiting } = planReconcile(world.knowledge());
        world.reconcile();
        const numbers = world.outbox.rows.map(({ number }) => number);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(Math.max(0, ...numbers)).toBeLessThanOrEqual(world.outbox.counter);
        const sent = waiting.map(({ to }) => to);
        expect(sent).toEqual(sent.toSorted((left, right) => left - right));
        for (const number of sent) expect(number).toBeGreaterThan(highest);
        const order = waiting.map(({ from }) => from);
        expect(order).toEqual(order.toSorted((left, right) => left - right));
      }),
      { numRuns: 2_000 },
    );
  });

  test("are left alone once they are reconciled", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = run(steps);
        world.reconcile();
        const again = planReconcile(world.knowledge());
        expect(isInOrder(again)).toBe(true);
        expect(again.counter).toBe(world.outbox.counter);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a centre whose PostgreSQL was restored, after which people went on", () => {
  const message = (number: number, content: string): LaneEntry => ({
    ...{ number, content, epoch: 1, sequence: number + 500 },
  });

  test("takes back what the lane has, and sends its own under numbers that follow", () => {
    const plan = planReconcile({
      agreed: 1,
      rows: [
        { number: 2, content: "new 2" },
        { number: 3, content: "new 3" },
      ],
      messages: [message(2, "old 2"), message(3, "old 3"), message(4, "old 4")],
      laneNumber: 4,
      counter: 3,
    });
    expect(plan.takeBack.map(({ number, message: { content } }) => `${number} ${content}`)).toEqual([
      "2 old 2",
      "3 old 3",
      "4 old 4",
    ]);
    expect(plan.waiting).toEqual([
      { from: 2, to: 5 },
      { from: 3, to: 6 },
    ]);
    expect(plan.counter).toBe(6);
  });

  test("keeps the row that is there where two histories used one number", () => {
    const plan = planReconcile({
      agreed: 1,
      rows: [
        { number: 2, content: "new 2" },
        { number: 3, content: "new 3" },
      ],
      messages: [message(2, "old 2"), message(3, "old 3"), message(3, "old 3"), message(2, "new 2")],
      laneNumber: 3,
      counter: 3,
    });
    expect(plan.stored.map(({ number }) => number)).toEqual([2]);
    expect(plan.takeBack.map(({ number, message: { content } }) => `${number} ${content}`)).toEqual([
      "4 old 2",
      "3 old 3",
    ]);
    expect(plan.waiting).toEqual([{ from: 3, to: 5 }]);
    expect(plan.counter).toBe(5);
  });

  test("changes nothing where rows simply wait", () => {
    const plan = planReconcile({
      agreed: 1,
      rows: [
        { number: 2, content: "two" },
        { number: 3, content: "three" },
      ],
      messages: [message(2, "two")],
      laneNumber: 2,
      counter: 3,
    });
    expect(isInOrder(plan)).toBe(true);
    expect(plan.stored).toEqual([{ number: 2, message: message(2, "two") }]);
    expect(plan.waiting).toEqual([{ from: 3, to: 3 }]);
  });
});
