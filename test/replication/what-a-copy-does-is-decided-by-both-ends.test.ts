import fc from "fast-check";
import { expect, test } from "vitest";
import {
  beginSearch,
  commonPrefix,
  compared,
  equalRunMin,
  nextToCompare,
} from "../../services/replication/domain/common-prefix.ts";
import {
  compareRange,
  planCopy,
  type Agreement,
  type CopyPlan,
  type Direction,
  type StreamEnd,
} from "../../services/replication/domain/copy.ts";

/** One end of a stream: what it once held, and from which sequence on it keeps it. */
interface End {
  readonly messages: readonly string[];
  readonly first: number;
}

const window = 8;
const endOf = ({ messages, first }: End): StreamEnd => ({ first, last: messages.length });
const at = ({ messages, first }: End, sequence: number): string | undefined =>
  sequence < first ? undefined : messages[sequence - 1];

function agreement(one: End, other: End): Agreement {
  const range = compareRange(endOf(one), endOf(other), window);
  if (range === undefined) return "unknown";
  for (let sequence = range.from; sequence <= range.to; sequence += 1) {
    if (at(one, sequence) !== at(other, sequence)) return "differ";
  }
  return "same";
}

/** Compare-and-append: it fails on anything but the next message, and on one that is not kept. */
function append(to: End, from: End, begin: number, last: number): End {
  if (begin !== to.messages.length + 1 || from.first > begin) throw new Error(`append at ${begin}`);
  return { ...to, messages: [...to.messages, ...from.messages.slice(begin - 1, last)] };
}

/** Carries a plan out as the shell does; undefined: it asks for something else than appending. */
function follow(plan: CopyPlan, direction: Direction, source: End, target: End): [End, End] | undefined {
  switch (plan.kind) {
    case "copy":
      return [source, append(target, source, plan.from, source.messages.length)];
    case "begin": {
      const holes = Array.from({ length: plan.at - 1 }, () => "");
      const begun = { messages: holes, first: plan.at };
      return [source, append(begun, source, plan.at, source.messages.length)];
    }
    case "refill":
      if (direction === "down") throw new Error("only a region's own lane is refilled");
      return [append(source, target, plan.from, plan.to), target];
    case "wait":
    case "fork":
    case "gap":
      return undefined;
    default:
      return plan satisfies never;
  }
}

const direction = fc.constantFrom<Direction>("up", "down");
const history = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 });
const part = fc.double({ min: 0, max: 1, noNaN: true });
const trimmed = (messages: readonly string[], share: number): End => ({
  messages,
  first: Math.floor(share * messages.length) + 1,
});

test("two ends of one history become the same, or say why they do not", () => {
  const cases = fc.record({ direction, history, one: part, other: part, trimOne: part, trimOther: part });
  fc.assert(
    fc.property(cases, ({ direction: way, history: all, one, other, trimOne, trimOther }) => {
      const source = trimmed(all.slice(0, Math.round(one * all.length)), trimOne);
      const target = trimmed(all.slice(0, Math.round(other * all.length)), trimOther);
      const plan = planCopy(way, endOf(source), endOf(target), agreement(source, target));
      const [here, there] = follow(plan, way, source, target) ?? [source, target];
      const differing = all.filter((_, index) => {
        const [mine, yours] = [at(here, index + 1), at(there, index + 1)];
        return mine !== undefined && yours !== undefined && mine !== yours;
      });
      expect(differing).toEqual([]);
      expect(here.messages.length === there.messages.length).toBe(isAppending(plan) || one === other);
      expect(plan).toMatchObject(allowed(plan, way, source, target));
    }),
    { numRuns: 2_000 },
  );
});

const isAppending = ({ kind }: CopyPlan): boolean => ["copy", "begin", "refill"].includes(kind);

/** What a plan that appends nothing must say. */
function allowed(plan: CopyPlan, way: Direction, source: End, target: End): Partial<CopyPlan> {
  const isAhead = target.messages.length > source.messages.length;
  switch (plan.kind) {
    case "fork":
      return way === "up" && isAhead
        ? { kind: "fork", why: source.messages.length === 0 ? "store-lost" : "store-restored" }
        : { kind: "copy" };
    case "wait":
      return way === "down" && isAhead ? { kind: "wait" } : { kind: "copy" };
    case "gap":
      return isAhead
        ? { kind: "copy" }
        : { kind: "gap", from: target.messages.length + 1, to: source.first - 1 };
    case "copy":
    case "begin":
    case "refill":
      return {};
    default:
      return plan satisfies never;
  }
}

test("histories that differ within the compared window are never mixed", () => {
  const cases = fc.record({
    direction,
    common: history,
    one: fc.array(fc.constantFrom("x", "a"), { minLength: 1, maxLength: window }),
    other: fc.array(fc.constantFrom("y", "a"), { minLength: 1, maxLength: window }),
  });
  fc.assert(
    fc.property(cases, ({ direction: way, common, one, other }) => {
      const source = { messages: [...common, "x", ...one].slice(0, common.length + window), first: 1 };
      const target = { messages: [...common, "y", ...other].slice(0, common.length + window), first: 1 };
      const plan = planCopy(way, endOf(source), endOf(target), agreement(source, target));
      expect(plan).toMatchObject({ kind: "fork", why: "diverged" });
    }),
  );
});

test("a copy that never held anything begins where the hub begins, a lane whose beginning is gone does not", () => {
  const kept = { first: 11, last: 20 };
  expect(planCopy("down", kept, { first: 1, last: 0 }, "unknown")).toEqual({ kind: "begin", at: 11 });
  expect(planCopy("up", kept, { first: 1, last: 0 }, "unknown")).toEqual({ kind: "gap", from: 1, to: 10 });
  // A copy that was moved once is empty, and yet knows where it is.
  expect(planCopy("down", kept, { first: 6, last: 5 }, "unknown")).toEqual({ kind: "gap", from: 6, to: 10 });
});

/** Searches as the shell does. */
function search(one: End, other: End): number {
  let state = beginSearch(endOf(one), endOf(other));
  for (let range = nextToCompare(state); range !== undefined; range = nextToCompare(state)) {
    const differing: number[] = [];
    for (let sequence = range.from; sequence <= range.to; sequence += 1) {
      if (at(one, sequence) !== at(other, sequence)) differing.push(sequence);
    }
    state = compared(state, range, differing);
  }
  return commonPrefix(state);
}

test("the common history ends before the first difference, though the ends agree again by chance after it", () => {
  const tail = fc.array(fc.constantFrom("a", "b"), { maxLength: 3 * equalRunMin - 1 });
  const cases = fc.record({ common: fc.nat(600), one: tail, other: tail, trim: fc.nat(700) });
  fc.assert(
    fc.property(cases, ({ common, one, other, trim }) => {
      const shared = Array.from({ length: common }, (_, index) => `${index}`);
      const here = { messages: [...shared, "x", ...one], first: 1 };
      const there = {
        messages: [...shared, "y", ...other],
        first: Math.min(trim, common + 1 + other.length),
      };
      fc.pre(there.first <= common + 1 && Math.max(...equalRuns(one, other)) < equalRunMin);
      expect(search(here, there)).toBe(common);
    }),
    { numRuns: 300 },
  );
});

function equalRuns(one: readonly string[], other: readonly string[]): number[] {
  const runs = [0];
  one.forEach((message, index) => {
    if (message === other[index]) runs.push((runs.at(-1) ?? 0) + 1);
    else runs.push(0);
  });
  return runs;
}

test("ends that nowhere differ have all in common that both hold", () => {
  const messages = Array.from({ length: 700 }, (_, index) => `${index}`);
  expect(search({ messages, first: 1 }, { messages: messages.slice(0, 500), first: 1 })).toBe(500);
  expect(search({ messages: [], first: 1 }, { messages, first: 1 })).toBe(0);
  expect(search({ messages: messages.slice(0, 9), first: 10 }, { messages, first: 300 })).toBe(9);
});
