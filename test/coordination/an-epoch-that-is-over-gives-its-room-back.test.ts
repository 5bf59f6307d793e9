import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { streamBytesMax } from "#platform/streams.ts";
import { sizeOf } from "#platform/trim.ts";
import { firstEpoch, hubStream, hubSubject, lanes, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { appendPatiently, lastOf, readAll } from "#test/replication/servers.ts";
import { isOver, mayShrink, openedSince } from "../../services/coordination/domain/old-epochs.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";

const region = "astana";
const dayMs = 24 * 3_600_000;
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start([region], { TRIM_EVERY_MS: "200", KEPT_HOURS: "0" });
});
afterAll(async () => {
  await capital.stop();
});

/** The next message of a lane in an epoch, once the capital has made its stream. */
async function append(lane: Lane, epoch: number, bytes: Uint8Array): Promise<void> {
  const stream = hubStream.up(lane, region, epoch);
  await until(async () => {
    const last = await lastOf(capital.nats, stream);
    await appendPatiently(
      capital.nats,
      hubSubject.up(lane, region, epoch, "centre.directives"),
      last + 1,
      bytes,
    );
    return true;
  });
}

const eventOf = (index: number): Uint8Array =>
  Event.encode({ outbox: index, atMs: 1, body: directives(directiveOf(region, index)) }).finish();

const sizes = async (epoch: number) =>
  Promise.all(
    lanes.map(async (lane) => (await sizeOf(capital.nats, hubStream.up(lane, region, epoch)))?.bytesMax),
  );
const whole = lanes.map((lane) => streamBytesMax[lane]);
const small = lanes.map(() => streamBytesMax.oldLane);

test("a region's epochs keep their room until three are opened after them, and then what is small of them stays", async () => {
  // More than an epoch that is over may keep: no events, so that nothing else comes of them.
  for (let index = 0; index < 18; index += 1)
    await append("events", firstEpoch, new Uint8Array(1_000_000).fill(255));
  await append("urgent", firstEpoch, eventOf(1));
  for (const epoch of [2, 3])
    for (const [at, lane] of lanes.entries()) await append(lane, epoch, eventOf(10 * epoch + at));
  await until(async () => (await sizes(4))[0] === whole[0]);
  // In the fourth one lane alone: it is not opened.
  await append("urgent", 4, eventOf(40));
  await until(async () => (await sizes(5))[0] === whole[0]);
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(await sizes(firstEpoch)).toEqual(whole);
  await append("events", 4, eventOf(41));
  await until(async () => (await sizes(firstEpoch)).every((size) => size === streamBytesMax.oldLane));
  expect(await sizes(firstEpoch)).toEqual(small);
  for (const epoch of [2, 3, 4, 5]) expect(await sizes(epoch)).toEqual(whole);
  expect(await lastOf(capital.nats, hubStream.up("events", region, firstEpoch))).toBe(18);
  expect(await readAll(capital.nats, hubStream.up("urgent", region, firstEpoch))).toHaveLength(1);
  const opinions = async () => (await capital.query("select directive from opinion")).length;
  await until(async () => (await opinions()) === 7);
});

test("what is still written into it is read, and a capital that starts again goes on with all epochs", async () => {
  await append("urgent", firstEpoch, eventOf(2));
  await capital.coordination.killAndRestart();
  await capital.ready();
  await append("urgent", firstEpoch, eventOf(3));
  await append("events", 4, eventOf(42));
  await until(async () => (await capital.query("select directive from opinion")).length === 10);
  expect(await sizes(firstEpoch)).toEqual(small);
});

test("an epoch is never over while its region is in it, nor the two before it unless all was still for 30 days", () => {
  fc.assert(
    fc.property(fc.nat(8), fc.nat(100), (newer, days) => {
      const nowMs = 1_000 * dayMs;
      const isDone = isOver(newer, { last: 1, lastAtMs: nowMs - days * dayMs }, nowMs);
      expect(isDone).toBe(newer >= 3 || (newer > 0 && days >= 30));
    }),
  );
});

test("an empty lane, which NATS says was still since the year 1, is over once three epochs were opened after it", () => {
  const lastAtMs = Date.parse("0001-01-01T00:00:00Z");
  const isDone = [0, 1, 2, 3].map((newer) => isOver(newer, { last: 0, lastAtMs }, 1_000 * dayMs));
  expect(isDone).toEqual([false, false, false, true]);
});

test("an epoch counts as opened by its region once both of its lanes were read", () => {
  const places = fc.array(
    fc.record({
      region: fc.constantFrom("one", "other"),
      lane: fc.constantFrom(...lanes),
      epoch: fc.integer({ min: 1, max: 6 }),
      sequence: fc.nat(3),
    }),
  );
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 6 }), (all, epoch) => {
      const byPlace = new Map(all.map((each) => [`${each.region} ${each.lane} ${each.epoch}`, each]));
      const expected = [1, 2, 3, 4, 5, 6].filter(
        (each) =>
          each > epoch && lanes.every((lane) => (byPlace.get(`one ${lane} ${each}`)?.sequence ?? 0) > 0),
      );
      expect(openedSince({ region: "one", epoch }, [...byPlace.values()])).toBe(expected.length);
    }),
  );
});

test("nothing is made small that holds what was not read, or more than half of what it gets", () => {
  const number = fc.nat(100);
  fc.assert(
    fc.property(number, number, number, number, (applied, last, bytes, bytesMax) => {
      const may = mayShrink({ applied, last, bytes, bytesMax }, 40);
      expect(may).toBe(applied >= last && bytes <= 20 && bytesMax > 40);
    }),
  );
});
