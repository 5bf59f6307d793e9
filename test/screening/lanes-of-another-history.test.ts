import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Overlay } from "#domain/overlay.ts";
import { onDisconnect } from "#platform/nats.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { lastOf, testLog, until } from "#test/replication/servers.ts";
import { followEpochs } from "../../services/screening/consumers/region-epochs.ts";
import { Enforcement } from "../../services/screening/enforcement.ts";
import { overlayOf, ownDirective, ScreenedRegion, trunk } from "./screening-service.ts";

/**
 * The region is cut off. Its store comes back from an older copy and grows
 * beyond what screening had applied before screening looks: the sequences alone
 * say nothing.
 */
let region: ScreenedRegion;
let restoreStore: () => Promise<void>;
const kept = 1;

const block = (index: number) => ownDirective(`astana-${index}`, `+44207946000${index}`, "block");
const isBlocked = async (index: number) =>
  (await region.screen({ callingNumber: `+44207946000${index}` })).verdict === "block";
const endOf = (lane: "events" | "urgent") => lastOf(region.centre, regionStream.lane(lane, firstEpoch));

beforeAll(async () => {
  region = await ScreenedRegion.start();
  await region.startScreening();
  await region.write("urgent", block(kept));
  await until(() => isBlocked(kept));
  // Nobody opens another epoch.
  await region.replication.stop("SIGKILL");
  restoreStore = await region.nation.keepStore("region");
  await until(async () => (await endOf("urgent")) > 0);
});

afterAll(() => region.stop());

/** Both lanes end further than before, with other messages; centre knows of all. */
async function goBackAndGrow(written: readonly number[]): Promise<void> {
  const before = { events: await endOf("events"), urgent: await endOf("urgent") };
  await restoreStore();
  await until(async () => (await endOf("urgent")) > 0);
  for (const index of written) await region.write("urgent", block(index));
  while ((await endOf("events")) <= before.events + 1) {
    const value = { region: region.nation.region, source: "test", alarms: [], atMs: Date.now() };
    await region.write("events", { $case: "alarms", value });
  }
  const ends = { urgentSequence: await endOf("urgent"), eventsSequence: await endOf("events") };
  expect(ends.urgentSequence).toBeGreaterThan(before.urgent);
  const known = [trunk("intl-1", "international"), block(kept), ...written.map(block)];
  region.centreSays.overlay = overlayOf(known, { regionEpoch: firstEpoch, ...ends });
}

test("a replica that was stopped meanwhile loads the overlay whole, and begins its receipts anew", async () => {
  await region.write("urgent", block(2));
  await until(() => isBlocked(2));
  await until(async () => (await region.written()).receipts.length > 0);
  const [first] = (await region.written()).receipts;
  process.kill(region.screening.pid, "SIGSTOP");
  await goBackAndGrow([3, 4]);
  process.kill(region.screening.pid, "SIGCONT");

  await until(() => isBlocked(3));
  expect([await isBlocked(kept), await isBlocked(2), await isBlocked(4)]).toEqual([true, false, true]);
  await region.write("urgent", block(5));
  await until(() => isBlocked(5));
  const end = await endOf("urgent");
  await until(async () => (await region.written()).receipts.at(-1)?.urgentSequence === end);
  expect((await region.written()).receipts.at(-1)?.bootId).toBe(`${first?.bootId}.1`);
});

test("a replica that starts again from its own file does the same", async () => {
  expect(await region.screening.stop("SIGTERM")).toBe(0);
  await goBackAndGrow([6, 7, 8, 9]);
  await region.startScreening();
  await until(() => isBlocked(6));
  expect([await isBlocked(kept), await isBlocked(3), await isBlocked(9)]).toEqual([true, false, true]);
});

test("lanes whose server went away while the overlay was loaded prove nothing before they are compared", async () => {
  const connection = await region.nation.connect("screening");
  const enforcement = new Enforcement(region.nation.region, testLog, () => undefined);
  const ended = new AbortController();
  const loaded = Promise.withResolvers<void>();
  let loads = 0;
  const load = async (epoch: number) => {
    loads += 1;
    if (loads === 1) {
      const away = new Promise<void>((resolve) => onDisconnect(connection, resolve));
      await region.nation.regional.stop("SIGKILL");
      await away;
    }
    const overlay = new Overlay(region.nation.region);
    overlay.advance({ lane: "urgent", sequence: 1 });
    enforcement.replaceOverlay(overlay, epoch, { events: undefined, urgent: undefined });
    loaded.resolve();
  };
  const turnTo = () => undefined;
  const following = followEpochs(connection, enforcement, turnTo, load, testLog, ended.signal);
  await loaded.promise;
  await turn();
  expect(enforcement.provenSequences).toEqual({ events: 0, urgent: 0 });
  region.nation.regional.start();
  await until(() => enforcement.provenSequences.urgent >= 1);
  expect(loads).toBe(1);
  ended.abort();
  await following;
});
