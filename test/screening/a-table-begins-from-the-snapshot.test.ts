import { afterEach, beforeEach, expect, test } from "vitest";
import { firstEpoch, hubStream, regionStream } from "#proto/names.ts";
import { lastOf, readAll, readiness, until } from "#test/replication/servers.ts";
import { entry, ownDirective, ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;

beforeEach(async () => {
  region = await ScreenedRegion.start();
});

afterEach(async () => {
  await region.stop();
});

const fraudster = "+442079460111";
const other = "+442079460222";
const third = "+442079460333";

async function trimHub(before: number): Promise<void> {
  const manager = await region.coordination.jetstreamManager();
  await manager.streams.purge(hubStream.national(firstEpoch), { seq: before });
}

const copy = regionStream.national(firstEpoch);

test("a replica without a file becomes ready from the region's snapshot while the region is cut off", async () => {
  await region.nation.line.cut();
  await region.publish({ rows: [entry(fraudster, "block", "almaty-1")] });
  await region.publish({ rows: [entry(other, "divert", "almaty-2")] });
  await region.storeSnapshot();
  await region.publish({ rows: [entry(third, "warn", "almaty-3")] });
  await trimHub(2);
  await region.nation.line.heal();
  await until(async () => (await lastOf(region.centre, copy)) === 3);
  expect((await readAll(region.centre, copy)).map(({ sequence }) => sequence)).toEqual([3]);
  await region.nation.line.cut();
  await region.startScreening();
  expect(await region.screen({ callingNumber: fraudster })).toMatchObject({ directive: "almaty-1" });
  expect(await region.screen({ callingNumber: other })).toMatchObject({ verdict: "divert" });
  expect(await region.screen({ callingNumber: third })).toMatchObject({ verdict: "warn" });
  expect((await region.state()).nationalSequence).toBe(3);
});

test("a running replica whose copy jumps ahead goes on from the snapshot, and lets go of what the nation took over", async () => {
  await region.startScreening();
  await region.publish({ rows: [entry(fraudster, "block", "almaty-1")] });
  await region.untilApplied(1);
  await region.write("urgent", ownDirective("astana-1", other, "block"));
  await until(async () => (await region.screen({ callingNumber: other })).verdict === "block");
  await region.nation.line.cut();
  const decision = { region: region.nation.region, directive: "astana-1", revision: 1, decision: "accepted" };
  const sequence = await region.publish({
    rows: [entry(other, "block", "astana-1")],
    decisions: [decision],
  });
  await region.publish({ rows: [{ row: { $case: "removed", value: `measure|${fraudster}` } }] });
  await region.storeSnapshot([
    { decision: { reason: "", missing: [], ...decision }, sequence, atMs: Date.now() },
  ]);
  await trimHub(4);
  await region.nation.line.heal();
  await region.untilApplied(3);
  expect((await region.screen({ callingNumber: fraudster })).verdict).toBe("allow");
  const answer = await region.screen({ callingNumber: other, trial: true, explain: true });
  expect(answer.matches.map(({ table }) => table)).toEqual(["national"]);
  expect(await region.state()).toMatchObject({ overlayEntries: 0 });
  await region.publish({ rows: [entry(third, "warn", "almaty-3")] });
  await region.untilApplied(4);
  await until(async () => {
    const applied = (await region.written()).receipts.flatMap((receipt) => receipt.applied);
    return applied.some(({ stream, sequence: each }) => stream === "NATIONAL" && each === 3);
  });
});

test("a table whose digest is wrong is replaced from the snapshot and what came after it", async () => {
  await region.publish({ rows: [entry(fraudster, "block", "almaty-1")] });
  await region.storeSnapshot();
  await until(async () => (await readAll(region.centre, regionStream.snapshot(firstEpoch))).length > 0);
  await region.startScreening();
  // The capital has a row that this region never heard of.
  region.addSecretly(entry(other, "block", "almaty-2"));
  await region.publish({ rows: [entry(third, "warn", "almaty-3")] });
  await region.untilApplied(2);
  const http = region.nation.ports.address("screening/http");
  await until(async () => (await readiness(http)).why !== "");
  await until(() => region.nation.log("screening").includes("table-rebuilt"));
  expect((await readiness(http)).why).toContain("the digest differs since NATIONAL 2");

  await region.storeSnapshot();
  await region.publish({ rows: [entry(fraudster, "divert", "almaty-4")] });
  await until(async () => (await region.screen({ callingNumber: other })).verdict === "block", 40_000);
  await until(async () => (await readiness(http)).why === "");
});
