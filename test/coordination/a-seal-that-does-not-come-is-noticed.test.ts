import { expect, test } from "vitest";
import { leafHash } from "#domain/merkle.ts";
import type { Seal } from "#domain/seal.ts";
import { LaneSeals } from "../../services/coordination/domain/lane-seals.ts";

const sealMissingMs = 60_000;
const of = { stream: "urgent", site: "here", epoch: 1 };
const leaf = leafHash(Buffer.from("a message"));
const sealOver = (first: number, last: number) => ({ ...of, first, last }) as Seal;

function see(
  lane: LaneSeals,
  sequence: number,
  storedAtMs: number,
  change: Partial<Parameters<LaneSeals["saw"]>[0]> = {},
) {
  lane.saw({ sequence, leaf, seal: undefined, wantsSeal: true, storedAtMs, ...change });
}
const heartbeat = { wantsSeal: false };

test("a seal is missing once the region has been heard for a minute after an event that none covers", () => {
  const lane = new LaneSeals(of);
  see(lane, 1, 1_000);
  expect(lane.missingSinceMs(1_000 + sealMissingMs, sealMissingMs)).toBeUndefined();
  expect(lane.missingSinceMs(1_001 + sealMissingMs, sealMissingMs)).toBe(1_000);
  see(lane, 2, 70_000, { seal: sealOver(1, 1), wantsSeal: false });
  expect(lane.missingSinceMs(500_000, sealMissingMs)).toBeUndefined();
});

test("of events that came while a seal was on its way the next seal is expected", () => {
  const lane = new LaneSeals(of);
  see(lane, 1, 1_000);
  see(lane, 2, 1_500);
  see(lane, 3, 2_000, { seal: sealOver(1, 1), wantsSeal: false });
  expect(lane.missingSinceMs(1_501 + sealMissingMs, sealMissingMs)).toBe(1_500);
});

test("nothing is missing in a region that is not heard, nor where it only lives", () => {
  const lane = new LaneSeals(of);
  see(lane, 1, 1_000);
  expect(lane.missingSinceMs(lane.storedAtMs, sealMissingMs)).toBeUndefined();
  const living = new LaneSeals(of);
  for (let sequence = 1; sequence < 50; sequence += 1) see(living, sequence, 5_000 * sequence, heartbeat);
  expect(living.missingSinceMs(1e9, sealMissingMs)).toBeUndefined();
});

test("seals are verified in order; those before what was read are fetched, and those beyond what is kept", () => {
  const lane = new LaneSeals(of, undefined, 4);
  see(lane, 9, 1, { seal: sealOver(5, 8), wantsSeal: false });
  expect(lane.mustFetch).toBe(true);
  expect(lane.nextWaiting()).toBeUndefined();
  lane.sealAt = 8;
  expect(lane.nextWaiting()?.sequence).toBe(9);
  for (let sequence = 10; sequence < 300; sequence += 1)
    see(lane, sequence, 1, { seal: sealOver(sequence - 1, sequence - 1), wantsSeal: false });
  expect(lane.mustFetch).toBe(true);
  expect(lane.fetchTo).toBeLessThan(300);
});

test("leaves of the last thousands of messages are kept, and of others it is said that they are not", () => {
  const lane = new LaneSeals(of);
  for (let sequence = 1; sequence <= 20_000; sequence += 1) see(lane, sequence, 1);
  expect(lane.leavesOf(19_001, 20_000)).toHaveLength(1_000);
  expect(lane.leavesOf(1, 1_000)).toBeUndefined();
  expect(lane.leavesOf(19_999, 20_001)).toBeUndefined();
});
