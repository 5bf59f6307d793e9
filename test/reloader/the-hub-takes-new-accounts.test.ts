import { setTimeout as sleep } from "node:timers/promises";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { HubUnderTest } from "./hub-under-test.ts";

let hub: HubUnderTest;

/** A hub with one region connected, and its reloader; another region knocks in vain. */
beforeEach(async () => {
  hub = await HubUnderTest.start();
  await hub.startRegion("astana");
  await hub.startRegion("almaty");
  hub.mount({ accounts: hub.accountsOf(["astana"]), authorities: hub.authoritiesOf(["astana"]) });
  hub.reloader.start();
  await until(async () => (await hub.leaves()).has("astana"), 30_000);
  await until(async () => (await hub.readiness()).why.startsWith("the server has loaded"));
});
afterEach(async () => {
  await hub.stop();
});

const both = ["astana", "almaty"];
const connected = async (slug: string) => (await hub.leaves()).has(slug);
const loaded = () => hub.events("accounts-loaded").length;

test("a region whose account and authority are added is let in, and nobody who is in is disturbed", async () => {
  const before = (await hub.leaves()).get("astana");
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  await until(() => connected("almaty"), 30_000);
  expect((await hub.leaves()).get("astana")?.id).toBe(before?.id);
  expect((await hub.readiness()).why).toContain("has loaded");
  expect(await hub.reloader.stop("SIGTERM")).toBe(0);
});

test("an account alone lets nobody in: the authority must be trusted too, and is from its reload on", async () => {
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(["astana"]) });
  await until(() => loaded() === 2);
  await sleep(3_000);
  expect(await connected("almaty")).toBe(false);
  expect(hub.log("hub")).toContain("certificate signed by unknown authority");
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  await until(() => connected("almaty"), 30_000);
});

test("an authority that is taken away is not trusted any more when its region comes again", async () => {
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(["almaty"]) });
  await until(() => connected("almaty"), 30_000);
  expect(await connected("astana")).toBe(true);
  await hub.server("astana").killAndRestart();
  await until(async () => !(await connected("astana")));
  await sleep(3_000);
  expect(await connected("astana")).toBe(false);
  expect(await connected("almaty")).toBe(true);
});

test.each([
  ["that is cut off in the middle", (text: string) => text.slice(0, text.length / 2)],
  ["that names one key twice", (text: string) => text.replace(/nkey: (\w+)/, "nkey: $1 }, { nkey: $1")],
  ["that names no system account", (text: string) => text.replace("system_account: SYSTEM", "")],
  ["that holds nothing", () => ""],
])("a file of accounts %s is refused, with the server's words; the hub goes on", async (_what, spoil) => {
  const before = (await hub.leaves()).get("astana");
  hub.mount({ accounts: spoil(hub.accountsOf(both)), authorities: hub.authoritiesOf(both) });
  await until(() => hub.events("accounts-refused").length > 0, 30_000);
  const [refused] = hub.events("accounts-refused");
  expect(refused).toMatchObject({ level: "error" });
  const { ready, why } = await hub.readiness();
  expect(ready).toBe(true);
  expect(why).toContain("refuses");
  expect(why).toContain(String(refused?.["reason"]));
  expect((await hub.leaves()).get("astana")?.id).toBe(before?.id);

  // Back to what the server has, then on.
  hub.mount({ accounts: hub.accountsOf(["astana"]), authorities: hub.authoritiesOf(["astana"]) });
  await until(async () => (await hub.readiness()).why.includes("has loaded"));
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  await until(() => connected("almaty"), 30_000);
  expect((await hub.leaves()).get("astana")?.id).toBe(before?.id);
});

test("a file that is being written is let become whole: the server is asked once, with all of it", async () => {
  const file = join(hub.folder, "mounted", "..data", "accounts.conf");
  const text = hub.accountsOf(both);
  writeFileSync(file, "");
  for (let from = 0; from < text.length; from += Math.ceil(text.length / 20)) {
    appendFileSync(file, text.slice(from, from + Math.ceil(text.length / 20)));
    await sleep(150);
  }
  hub.mount({ accounts: text, authorities: hub.authoritiesOf(both) });
  await until(() => connected("almaty"), 30_000);
  expect(hub.events("accounts-refused")).toEqual([]);
});

test("after a restart of the server, or of the reloader, a change is taken up as before", async () => {
  await hub.hub.killAndRestart();
  await until(() => loaded() === 2, 60_000);
  await hub.reloader.stop("SIGKILL");
  hub.mount({ accounts: hub.accountsOf(both), authorities: hub.authoritiesOf(both) });
  await sleep(500);
  hub.reloader.start();
  await until(() => connected("almaty"), 30_000);
});
