import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { entry, ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;
const caller = "+442079460777";

beforeAll(async () => {
  region = await ScreenedRegion.start();
  await region.startScreening();
  await region.untilApplied(await region.publish({ rows: [entry(caller, "block", "almaty-1")] }));
  // The snapshot that a later kill finds: before any switch was turned.
  await region.screening.stop("SIGTERM");
  await region.startScreening();
});

afterAll(async () => region.stop());

const regionStop = (revision: number, stopped: boolean) =>
  region.write("urgent", {
    $case: "regionStop",
    value: { revision, stopped, person: "prosecutor-1.astana", carrier: "" },
  });

const nationStop = (stopped: boolean) =>
  region.publish({
    rows: [{ row: { $case: "stop", value: { stopped, person: "central-1", atMs: 1, revision: 2 } } }],
  });

async function untilVerdict(verdict: string): Promise<number> {
  const beganMs = Date.now();
  await until(async () => (await region.screen({ callingNumber: caller })).verdict === verdict, 10_000);
  return Date.now() - beganMs;
}

/** Nobody is there to tell of it again. */
async function killWithItsServer(): Promise<void> {
  await region.nation.regional.stop("SIGKILL");
  await region.screening.killAndRestart();
  await until(async () => (await region.screen({ callingNumber: caller })).decision === "block", 10_000);
}

test("a region's stop takes effect within a second, and after kill -9 of everything still holds", async () => {
  await untilVerdict("block");
  await regionStop(1, true);
  expect(await untilVerdict("allow")).toBeLessThan(1_000);
  await new Promise((resolve) => setTimeout(resolve, 200));

  await killWithItsServer();
  expect(await region.screen({ callingNumber: caller })).toMatchObject({ verdict: "allow", mode: "stopped" });

  region.nation.regional.start();
  await region.untilReady();
  expect((await region.screen({ callingNumber: caller })).verdict).toBe("allow");
  await regionStop(2, false);
  await untilVerdict("block");
});

test("so does the nation's, and taking it back", async () => {
  await region.untilApplied(await nationStop(true));
  expect(await untilVerdict("allow")).toBeLessThan(1_000);
  await new Promise((resolve) => setTimeout(resolve, 200));

  await killWithItsServer();
  expect(await region.screen({ callingNumber: caller })).toMatchObject({ verdict: "allow", mode: "stopped" });

  region.nation.regional.start();
  await region.untilReady();
  await until(async () => (await region.screen({ callingNumber: caller })).verdict === "allow");
  await region.untilApplied(await nationStop(false));
  await untilVerdict("block");
});
