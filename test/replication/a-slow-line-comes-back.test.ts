import { afterEach, beforeEach, expect, test } from "vitest";
import { firstEpoch, hubStream, regionStream } from "#proto/names.ts";
import { ReplicatedRegion } from "./a-region-and-hub.ts";
import { lastOf, readAll, until } from "./servers.ts";

const epoch = firstEpoch;
let region: ReplicatedRegion;

beforeEach(async () => {
  region = await ReplicatedRegion.start();
});

afterEach(async () => {
  await region.servers.stop();
});

/** What the capital decided is in the region, with the same bytes. */
async function untilCopied(waitMs: number): Promise<void> {
  const there = await readAll(region.coordination, hubStream.national(epoch));
  await until(
    async () => (await lastOf(region.centre, regionStream.national(epoch))) === there.length,
    waitMs,
  );
  const here = await readAll(region.centre, regionStream.national(epoch));
  const hex = (messages: typeof here) => messages.map(({ data }) => Buffer.from(data).toString("hex"));
  expect(hex(here)).toEqual(hex(there));
}

test("a satellite's line that broke connects again, and what was written meanwhile passes both ways", async () => {
  const { line } = region.servers;
  await line.cut();
  await region.say(20);
  await region.publish(20);
  await line.slow({ latencyMs: 300, bytesPerSecond: 8_000 });
  await region.untilHeard();
  await untilCopied(40_000);
});

test("a narrow line brings a thousand decisions, though they come in blocks seconds apart", async () => {
  const { line } = region.servers;
  await line.cut();
  await region.publish(1_000);
  await line.slow({ latencyMs: 300, bytesPerSecond: 8_000 });
  await untilCopied(40_000);
});

test("2,000 messages of each lane and of the capital are made up for over a line of 300 ms each way", async () => {
  const { line } = region.servers;
  await line.cut();
  await region.say(2_000);
  await region.publish(2_000);
  await line.slow({ latencyMs: 300, bytesPerSecond: 1_000_000 });
  await region.untilHeard();
  await untilCopied(40_000);
});
