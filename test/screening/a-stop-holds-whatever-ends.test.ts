import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog } from "#platform/log.ts";
import { messageHash } from "#platform/message-hash.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { NationalTable } from "#domain/national-table.ts";
import { Enforcement } from "../../services/screening/enforcement.ts";
import { SnapshotFile } from "../../services/screening/store/snapshot-file.ts";
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

test("a snapshot of a large table is written while its lanes go on, and is of one moment", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-snapshot-"));
  const log = createLog("test", "astana", "error");
  const enforcement = new Enforcement("astana", log, () => undefined);
  const rows = Array.from({ length: 20_000 }, (_, index) =>
    entry(`+44207${String(1_000_000 + index)}`, "block", `almaty-${index}`),
  );
  const batch = NationalBatch.fromPartial({ sequence: 1, atMs: 1, rows });
  const table = new NationalTable("astana");
  table.apply(batch);
  enforcement.replaceOverlay(enforcement.overlay, 1, enforcement.lastOfLanes);
  enforcement.applyNational({ ...batch, digestAfter: Buffer.from(table.digest) });
  let sequence = 0;
  const busy = setInterval(() => {
    sequence += 1;
    const message = { sequence, subject: `events.1.a.${sequence}`, data: Buffer.from("event") };
    enforcement.applyEvent("events", message, Event.fromPartial({}));
  }, 1);
  const file = new SnapshotFile(folder, enforcement, log);
  await file.write(enforcement);
  clearInterval(busy);
  expect(sequence).toBeGreaterThan(0);
  const read = await new SnapshotFile(folder, enforcement, log).read("astana");
  expect(read?.table.size).toBe(20_000);
  const { eventsSequence } = read?.overlay ?? {};
  expect(eventsSequence).toBeLessThanOrEqual(sequence);
  const last = { subject: `events.1.a.${eventsSequence}`, data: Buffer.from("event") };
  expect(read?.lastOfLanes.events ?? Buffer.alloc(0)).toEqual(
    eventsSequence === 0 ? Buffer.alloc(0) : messageHash(last),
  );
  rmSync(folder, { recursive: true });
});
