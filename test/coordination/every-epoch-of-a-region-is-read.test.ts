import { afterAll, beforeAll, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import { ensureStream, hubStreamsOf } from "#platform/streams.ts";
import { firstEpoch, hubStream, hubSubject, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { EpochOpened } from "#proto/qalqan/events/v1/sync.ts";
import { lastOf } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";

const region = "astana";
const second = firstEpoch + 1;
const third = firstEpoch + 2;
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start([region, "almaty"]);
});
afterAll(async () => {
  await capital.stop();
});

/** One event as the next message of a lane in an epoch. */
async function send(
  lane: Lane,
  epoch: number,
  producer: string,
  body: NonNullable<Event["body"]>,
): Promise<void> {
  await until(async () => {
    const last = await lastOf(capital.nats, hubStream.up(lane, region, epoch));
    const bytes = Event.encode({ outbox: last + 1, atMs: Date.now(), body }).finish();
    await appendAt(
      capital.nats,
      hubSubject.up(lane, region, epoch, `${producer}.${body.$case}`),
      last + 1,
      bytes,
    );
    return true;
  });
}

async function decided(): Promise<string[]> {
  const { batches } = await capital.national();
  return batches.flatMap(({ decisions }) => decisions.map(({ directive }) => directive)).toSorted();
}

const idsOf = (...numbers: number[]): string[] =>
  numbers.map((number) => directiveOf(region, number).id).toSorted();

test("a region that goes on in another epoch is heard there and in the old one, and what is fed again counts once", async () => {
  await send("urgent", firstEpoch, "centre", directives(directiveOf(region, 1)));
  await until(async () => (await decided()).length === 1);
  await send("urgent", second, "refeed.centre", directives(directiveOf(region, 1)));
  await send("urgent", second, "refeed.centre", directives(directiveOf(region, 2)));
  const value = EpochOpened.create({
    lane: "urgent",
    epoch: second,
    previousEpoch: firstEpoch,
    why: "store-lost",
  });
  // As after a restore: the hub had nothing of it when the next was opened, and nobody waits for it, later neither.
  await capital.query(
    "update inbox set read_to = 1000 where region = 'astana' and lane = 'urgent' and epoch = 1",
  );
  // A thief of the region's key may say anything: it ends no step.
  const forged = { ...value, lane: "events", previousEpoch: 4_294_967_295 };
  await send("events", second, "replication", { $case: "epochOpened", value: forged });
  await send("urgent", second, "replication", { $case: "epochOpened", value });
  await send("events", second, "centre", directives(directiveOf(region, 3)));
  await send("urgent", firstEpoch, "centre", directives(directiveOf(region, 4)));
  await until(async () => (await decided()).length === 4);
  expect(await decided()).toEqual(idsOf(1, 2, 3, 4));
  const opened = async () => capital.query("select from audit where what = 'epoch-opened'");
  await until(async () => (await opened()).length > 0);
  expect(await opened()).toHaveLength(1);
});

test("the epoch after it stands ready, and is read by a coordination that starts again", async () => {
  await until(async () => (await lastOf(capital.nats, hubStream.up("events", region, third))) === 0);
  await capital.coordination.killAndRestart();
  await send("urgent", third, "centre", directives(directiveOf(region, 5)));
  await send("urgent", second, "centre", directives(directiveOf(region, 6)));
  await until(async () => (await decided()).length === 6);
  expect(await decided()).toEqual(idsOf(1, 2, 3, 4, 5, 6));
});

test("a lane that came back older at the hub is read from there, whatever is fed again into it", async () => {
  await capital.coordination.stop("SIGKILL");
  const manager = await capital.nats.jetstreamManager();
  await manager.streams.delete(hubStream.up("urgent", region, third));
  for (const stream of hubStreamsOf(region, [third], firstEpoch, 1)) await ensureStream(manager, stream);
  capital.coordination.start();
  await until(() => capital.log().includes("hub-behind"));
  await send("urgent", third, "centre", directives(directiveOf(region, 7)));
  await until(async () => (await decided()).length === 7);
  expect(await decided()).toEqual(idsOf(1, 2, 3, 4, 5, 6, 7));
});

test("an epoch of which the hub has lost everything is read again also by a coordination that starts after that was seen", async () => {
  await capital.coordination.stop("SIGKILL");
  const manager = await capital.nats.jetstreamManager();
  for (const stream of hubStreamsOf(region, [second, third], firstEpoch, 1)) {
    await manager.streams.delete(stream.name);
    await ensureStream(manager, stream);
  }
  capital.coordination.start();
  await until(async () => {
    const read = await capital.query(
      "select from inbox where region = 'astana' and epoch > 1 and sequence > 0",
    );
    return read.length === 0;
  });
  await capital.coordination.killAndRestart();
  await send("urgent", third, "centre", directives(directiveOf(region, 8)));
  await until(async () => (await decided()).length === 8);
  expect(await decided()).toEqual(idsOf(1, 2, 3, 4, 5, 6, 7, 8));
});
