import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { HubUnderTest } from "./hub-under-test.ts";

let hub: HubUnderTest;
const both = ["astana", "almaty"];

/** A hub with two regions connected, and its reloader. */
beforeEach(async () => {
  hub = await HubUnderTest.start();
  for (const slug of both) await hub.startRegion(slug);
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  hub.reloader.start();
  await until(async () => (await hub.leaves()).size === 2, 30_000);
  await until(async () => (await hub.readiness()).why.startsWith("the server has loaded"));
});
afterEach(async () => {
  await hub.stop();
});

const connected = async (slug: string) => (await hub.leaves()).has(slug);

test("a key that is taken out of the accounts loses every line that it has open; the others are not disturbed", async () => {
  const stolen = await hub.steal("astana");
  expect(stolen.isOpen).toBe(true);
  stolen.listen("live.national.>");
  const before = (await hub.leaves()).get("almaty");
  hub.mount({ accounts: hub.accountsOf(["almaty"]), authorities: hub.authoritiesOf(both) });
  await until(() => !stolen.isOpen);
  await until(async () => !(await connected("astana")));
  await until(() => hub.events("line-ended").length >= 2);
  const again = await hub.steal("astana");
  expect(again.isOpen).toBe(false);
  expect(again.errors.join()).toContain("Authorization Violation");
  await sleep(2_000);
  expect(hub.events("line-ended")).toHaveLength(2);
  expect(await connected("astana")).toBe(false);
  expect((await hub.leaves()).get("almaty")?.id).toBe(before?.id);
});

test("a line with the key before ends when the key is rotated, and the region comes back with the new one", async () => {
  const stolen = await hub.steal("astana");
  const before = (await hub.leaves()).get("almaty");
  hub.renewLeaf("astana");
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  await until(() => !stolen.isOpen);
  await hub.server("astana").stop("SIGTERM");
  hub.server("astana").start();
  await until(() => connected("astana"), 30_000);
  expect((await hub.leaves()).get("almaty")?.id).toBe(before?.id);
});

test("a key that was taken out while no reloader ran has lost its line once one runs; nobody else has", async () => {
  const stolen = await hub.steal("astana");
  const before = (await hub.leaves()).get("almaty");
  await hub.reloader.stop("SIGKILL");
  hub.mount({ accounts: hub.accountsOf(["almaty"]), authorities: hub.authoritiesOf(both) });
  await sleep(1_500);
  expect(stolen.isOpen).toBe(true);
  hub.reloader.start();
  await until(() => !stolen.isOpen, 30_000);
  expect((await hub.leaves()).get("almaty")?.id).toBe(before?.id);
});

test("accounts that the server refuses end no line", async () => {
  const ids = async () => Object.fromEntries([...(await hub.leaves())].map(([slug, { id }]) => [slug, id]));
  const before = await ids();
  hub.mount({ accounts: "", authorities: hub.authoritiesOf(both) });
  await until(() => hub.events("accounts-refused").length > 0, 30_000);
  await sleep(1_000);
  expect(await ids()).toEqual(before);
});
