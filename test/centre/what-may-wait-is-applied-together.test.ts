import { expect, test } from "vitest";
import { Decision, NationalBatch, type DeepPartial } from "#proto/qalqan/events/v1/events.ts";
import { gather } from "../../services/centre/consumers/gather.ts";
import { isOnlyOfOthers } from "../../services/centre/domain/only-of-others.ts";

/** Longer than any test: nothing here is given out because time has passed. */
const never = { itemsMax: 4, waitMs: 3_600_000 } as const;
const small = (item: number) => item < 100;

async function* from(items: readonly number[], failure?: Error): AsyncGenerator<number> {
  yield* items;
  if (failure !== undefined) throw failure;
}

async function listsOf(source: AsyncIterable<number>): Promise<(readonly number[])[]> {
  const lists: (readonly number[])[] = [];
  for await (const list of gather(source, small, never)) lists.push(list);
  return lists;
}

test("what may wait is given out with the first that may not", async () => {
  expect(await listsOf(from([1, 2, 100, 101, 3, 102]))).toEqual([[1, 2, 100], [101], [3, 102]]);
});

test("so much that waits is given out, however little each may matter", async () => {
  expect(await listsOf(from([1, 2, 3, 4, 5]))).toEqual([[1, 2, 3, 4], [5]]);
});

test("what was gathered before the source failed is given out first", async () => {
  const lists: (readonly number[])[] = [];
  const reading = (async () => {
    for await (const list of gather(from([1, 2], new Error("a gap")), small, never)) lists.push(list);
  })();
  await expect(reading).rejects.toThrow("a gap");
  expect(lists).toEqual([[1, 2]]);
});

test("one who stops reading does not wait for what may never come", async () => {
  async function* silent(): AsyncGenerator<number> {
    yield 100;
    await new Promise(() => undefined);
  }
  for await (const list of gather(silent(), small, never)) {
    expect(list).toEqual([100]);
    break;
  }
});

const decision = (region: string, more: Partial<Decision> = {}) =>
  Decision.fromPartial({ region, directive: `${region}-1`, revision: 1, decision: "accepted", ...more });
const batch = (more: DeepPartial<NationalBatch>) => NationalBatch.fromPartial({ sequence: 1, ...more });
const held = { decision: "held", missing: ["second-region"] };
const entry = { row: { $case: "entry" as const, value: { target: "+77010000001" } } };
const stop = { row: { $case: "stop" as const, value: { stopped: true } } };

test.each([
  [
    "a decision on another region's directive",
    batch({ decisions: [decision("almaty")], rows: [entry] }),
    true,
  ],
  ["a seal", batch({ seal: { stream: "national" } }), true],
  ["another region's batch that was revoked", batch({ revokedBatches: ["almaty-1"] }), true],
  ["a decision on an own directive", batch({ decisions: [decision("almaty"), decision("astana")] }), false],
  ["an own batch that was revoked", batch({ revokedBatches: ["astana-1"] }), false],
  ["a directive that a second region may approve", batch({ decisions: [decision("almaty", held)] }), false],
  ["the nation's stop", batch({ rows: [entry, stop] }), false],
  ["intelligence", batch({ intelligence: [{ intelligence: { id: "almaty-1" } }] }), false],
  ["intelligence that was withdrawn", batch({ intelligenceWithdrawn: [{ id: "almaty-1" }] }), false],
] as const)("%s concerns only others, or not", (_, given, expected) => {
  expect(isOnlyOfOthers(given, "astana")).toBe(expected);
});
