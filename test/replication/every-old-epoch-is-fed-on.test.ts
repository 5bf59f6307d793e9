import { afterEach, beforeEach, expect, test } from "vitest";
import { appendAt, WrongSequence } from "#platform/append.ts";
import { ensureStream, hubStreamsOf } from "#platform/streams.ts";
import { epochsListed, firstEpoch, hubSubject, lanes, regionStream } from "#proto/names.ts";
import { fedUpTo, mayGo, oldEpochsKept } from "../../services/replication/domain/epoch.ts";
import { ReplicatedRegion } from "./a-region-and-hub.ts";
import { until } from "./servers.ts";

const [first, second, fourth] = [firstEpoch, firstEpoch + 1, firstEpoch + 3];
/** After it two are left. */
const nearlyLast = epochsListed - 2;
let region: ReplicatedRegion;

beforeEach(async () => {
  region = await ReplicatedRegion.start();
});

afterEach(async () => {
  await region.servers.stop();
});

/** The hub has heard of an epoch that the region's store, an older copy, does not know. */
async function hubKnows(epoch: number): Promise<void> {
  const { coordination, servers } = region;
  const manager = await coordination.jetstreamManager();
  for (const stream of hubStreamsOf(servers.region, [epoch, epoch + 1], first, 1))
    await ensureStream(manager, stream);
  const line = await servers.connect("line");
  const subject = hubSubject.up("urgent", servers.region, epoch, "screening-0.receipt");
  await until(async () => {
    // What was stored, and the answer lost, is refused when it is sent again.
    await appendAt(line, subject, 1, Uint8Array.of()).catch((error: unknown) => {
      if (!(error instanceof WrongSequence)) throw error;
    });
    return true;
  });
}

async function keptIn(lane: (typeof lanes)[number]): Promise<boolean[]> {
  const manager = await region.centre.jetstreamManager({ checkAPI: false });
  const names = await manager.streams.names().next();
  return [first, second, fourth, nearlyLast].map((epoch) => names.includes(regionStream.lane(lane, epoch)));
}

test("what was written late into an epoch before the previous one is fed into the new one, and goes when the hub has it", async () => {
  await region.say(3);
  await region.untilHeard();
  await region.servers.loseRegionStore();
  await region.untilEpoch(second);
  await region.untilHeard();
  await region.replication.stop("SIGKILL");
  await region.say(60, first);
  await hubKnows(second + 1);
  region.replication.start();
  await region.untilEpoch(fourth);
  await region.untilHeard(nearlyLast);
  for (const lane of lanes) expect(await keptIn(lane)).toEqual([true, true, true, false]);

  await region.replication.stop("SIGKILL");
  await region.say(5, second);
  await hubKnows(nearlyLast - 1);
  await region.servers.line.cut();
  region.replication.start();
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  for (const lane of lanes) expect(await keptIn(lane)).toEqual([true, true, true, false]);
  await region.servers.line.heal();
  await region.untilEpoch(nearlyLast);
  await region.untilHeard(nearlyLast);
  // Two are left of those that the hub's accounts list.
  const called = async () =>
    (await region.alarms(nearlyLast)).filter(({ code }) => code === "waits-for-person");
  await until(async () => (await called()).length > 0);
  expect(await called()).toMatchObject([{ subject: "epochs" }]);
  for (const lane of lanes) await until(async () => (await keptIn(lane)).join() === "false,true,true,true");
});

test("the newest old epochs are kept whatever is in them, and what an opening has fed is not fed again", () => {
  expect(mayGo([1, 2, 4], 4)).toEqual([]);
  expect(mayGo([6, 4, 2, 1], 6)).toEqual([1]);
  expect(mayGo([6, 5, 4, 3, 2, 1], 6)).toHaveLength(5 - oldEpochsKept);
  const openings = [
    { epoch: 2, previousEpoch: 1, regionLast: 10 },
    { epoch: 4, previousEpoch: 1, regionLast: 7 },
  ];
  expect(fedUpTo(1, openings)).toBe(7);
  expect(fedUpTo(2, openings)).toBeUndefined();
});
