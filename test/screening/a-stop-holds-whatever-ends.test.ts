import { readFileSync } from "node:fs";
import { join } from "node:path";
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
  await until(async () => (await region.screen({ callingNumber: caller })).verdict === verdict);
  return Date.now() - beganMs;
}

/** What the replica keeps beside its snapshot; it is written a moment after a switch was turned. */
const kept = () => {
  const file = readFileSync(join(region.nation.folder, "state", "switches.json"), "utf8");
  return (JSON.parse(file) as { switches: KeptSwitches }).switches;
};

interface KeptSwitches {
  readonly stops: readonly { readonly revision: number; readonly stopped: boolean }[];
  readonly nation: { readonly stopped: boolean };
}

/** Below the time after which switches are written in any case: it is the turn that has them written. */
const writtenWaitMs = 10_000;

/** Nobody is there to tell of it again. */
async function killWithItsServer(): Promise<void> {
  await region.nation.regional.stop("SIGKILL");
  await region.screening.killAndRestart();
  await until(async () => (await region.screen({ callingNumber: caller })).decision === "block");
}

test("a region's stop takes effect within a second, and after kill -9 of everything still holds", async () => {
  await untilVerdict("block");
  const took: number[] = [];
  for (const revision of [1, 3, 5]) {
    await regionStop(revision, true);
    took.push(await untilVerdict("allow"));
    if (revision === 5) break;
    await regionStop(revision + 1, false);
    await untilVerdict("block");
  }
  // A busy machine may stand still for a second, not three times.
  expect(Math.min(...took)).toBeLessThan(1_000);
  await until(() => kept().stops.some(({ revision, stopped }) => revision === 5 && stopped), writtenWaitMs);

  await killWithItsServer();
  expect(await region.screen({ callingNumber: caller })).toMatchObject({ verdict: "allow", mode: "stopped" });

  region.nation.regional.start();
  await region.untilReady();
  expect((await region.screen({ callingNumber: caller })).verdict).toBe("allow");
  await regionStop(6, false);
  await untilVerdict("block");
});

test("so does the nation's, and taking it back", async () => {
  await region.untilApplied(await nationStop(true));
  expect(await untilVerdict("allow")).toBeLessThan(1_000);
  await until(() => kept().nation.stopped, writtenWaitMs);

  await killWithItsServer();
  expect(await region.screen({ callingNumber: caller })).toMatchObject({ verdict: "allow", mode: "stopped" });

  region.nation.regional.start();
  await region.untilReady();
  await until(async () => (await region.screen({ callingNumber: caller })).verdict === "allow");
  await region.untilApplied(await nationStop(false));
  await untilVerdict("block");
});
