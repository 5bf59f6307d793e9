import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, lanes, regionStream, regionSubject } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { lastOf, until } from "#test/replication/servers.ts";
import { overlayOf, ownDirective, ScreenedRegion, trunk } from "./screening-service.ts";

/** The region's lanes go on in another epoch: screening takes it up whole, and protects all the while. */
describe("screening whose lanes go on in another epoch", () => {
  let region: ScreenedRegion;
  const next = firstEpoch + 1;
  const trunks = [trunk("intl-1", "international"), trunk("dom-1", "domestic")];
  const block = (id: string, number: string) => ownDirective(id, number, "block");
  const verdict = async (callingNumber: string) => (await region.screen({ callingNumber })).verdict;

  beforeAll(async () => {
    region = await ScreenedRegion.start();
    await region.startScreening();
    await region.write("urgent", block("astana-1", "+442079460111"));
    await until(async () => (await verdict("+442079460111")) === "block");
    // The epoch is opened by this test.
    await region.replication.stop("SIGKILL");
  });
  afterAll(() => region.stop());

  async function open(epoch: number): Promise<void> {
    const connection = await region.nation.connect("replication");
    const manager = await connection.jetstreamManager({ checkAPI: false });
    for (const stream of regionStreams(epoch, firstEpoch)) await ensureStream(manager, stream);
    for (const lane of lanes) {
      // By an attempt before this one.
      if ((await lastOf(connection, regionStream.lane(lane, epoch))) > 0) continue;
      const value = {
        ...{ lane, epoch, previousEpoch: epoch - 1, common: 0, hubLast: 0, regionLast: 0, why: "diverged" },
        ...{ producers: [], atMs: Date.now() },
      };
      const opened = Event.encode({ outbox: 1, atMs: Date.now(), body: { $case: "epochOpened", value } });
      const subject = regionSubject.lane(lane, epoch, "replication", "epochOpened");
      await appendAt(connection, subject, 1, opened.finish());
    }
  }

  test("goes on with what it has while centre has not followed", async () => {
    await open(next);
    await region.write("urgent", block("astana-2", "+442079460222"), next);
    await until(async () => region.nation.log("screening").includes("centre answers for epoch"));
    expect(await verdict("+442079460111")).toBe("block");
    expect(await verdict("+442079460222")).toBe("allow");
  });

  test("loads the overlay that is true there, and follows the lanes from its sequences on", async () => {
    const held = [...trunks, block("astana-1", "+442079460111"), block("astana-3", "+442079460333")];
    const of = { regionEpoch: next, eventsSequence: 1, urgentSequence: 1 };
    region.centreSays.overlay = overlayOf(held, of);
    await until(async () => (await verdict("+442079460333")) === "block");
    await until(async () => (await verdict("+442079460222")) === "block");
    expect(await verdict("+442079460111")).toBe("block");
    await region.write("urgent", block("astana-4", "+442079460444"), next);
    await until(async () => (await verdict("+442079460444")) === "block");
  });

  test("says in the new lanes what it enforces, in their epoch", async () => {
    await until(async () => {
      const last = (await region.written(next)).receipts.at(-1);
      return last?.regionEpoch === next && last.urgentSequence === 3 && last.ready;
    });
    const { receipts } = await region.written(next);
    const proven = receipts
      .filter(({ regionEpoch }) => regionEpoch === next)
      .flatMap(({ applied }) => applied.filter(({ stream }) => stream === "URGENT"))
      .map(({ sequence }) => sequence);
    expect(proven).toEqual([2, 3]);
  });

  test("begins again in that epoch after a kill, with nobody's help", async () => {
    await until(async () => (await region.written(next)).receipts.length > 0);
    expect(await region.screening.stop("SIGTERM")).toBe(0);
    region.centreSays.overlay = undefined;
    await region.startScreening();
    expect(await verdict("+442079460444")).toBe("block");
    expect(region.nation.log("screening").split("overlay-loaded")).toHaveLength(3);
  });

  test("loads it anew where the lanes end before what it has applied", async () => {
    const of = { regionEpoch: next, eventsSequence: 0, urgentSequence: 0 };
    region.centreSays.overlay = overlayOf([...trunks, block("astana-5", "+442079460555")], of);
    // Its next receipt would be the first message of a lane that is made anew.
    process.kill(region.screening.pid, "SIGSTOP");
    await region.nation.regional.stop("SIGKILL");
    region.nation.forgetStore();
    region.nation.regional.start();
    await until(async () => {
      await open(next);
      return true;
    });
    process.kill(region.screening.pid, "SIGCONT");
    await until(async () => (await verdict("+442079460555")) === "block");
    await region.write("urgent", block("astana-6", "+442079460666"), next);
    await until(async () => (await verdict("+442079460666")) === "block");
  });
});
