import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { LocalRunError } from "#infra/local/errors.ts";
import { readRunFile } from "#infra/local/run-file.ts";
import { hubStream, hubSubject } from "#proto/names.ts";
import { connectAs, startServers, stateOf, temporaryFolder, until } from "./small-nation.ts";

const folder = temporaryFolder();
let nation: Awaited<ReturnType<typeof startServers>>;

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana"], ["nats", "postgres"]);
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

const connected = async (region: string) =>
  (await nation.status()).lines.some((line) => line.region === region && line.connected);

test("a line that is cut carries nothing, and again everything once it is healed", async () => {
  const control = connectControl(folder.path);
  await using coordination = await connectAs(nation, "capital", "coordination");
  await using line = await connectAs(nation, "astana", "line");
  const hub = await coordination.jetstreamManager();
  await hub.streams.add({ name: hubStream.up("events", "astana", 1), subjects: ["up.astana.1.>"] });
  const subject = hubSubject.up("events", "astana", 1, "centre.directive");
  const arrives = () =>
    line.request(subject, "one", { timeout: 1_000 }).then(
      () => true,
      () => false,
    );
  await until("the line carries an event", arrives);
  await control.cut("astana");
  expect((await control.status()).lines).toMatchObject([{ region: "astana", cut: true, connected: false }]);
  expect(await arrives()).toBe(false);
  await control.heal("astana");
  await until("the line carries an event again", arrives);
});

test.each([
  ["astana", "nats"],
  ["astana", "postgres"],
  ["capital", "nats"],
])("kill -9 of %s/%s: it is started again on the same port", async (site, service) => {
  const before = stateOf(await nation.status(), site, service);
  await nation.kill(site, service);
  await until(`${site}/${service} is ready in a new process`, async () => {
    const now = stateOf(await nation.status(), site, service);
    return now.state === "ready" && now.pid !== before.pid && now.restarts > before.restarts;
  });
  await until("the line is there again", () => connected("astana"));
  // What is left of a killed PostgreSQL may keep the next one from starting for a moment.
  const attemptsMax = service === "postgres" ? 3 : 1;
  const { restarts } = stateOf(await nation.status(), site, service);
  expect(restarts - before.restarts).toBeLessThanOrEqual(attemptsMax);
});

test("a paused process keeps its place and goes on when it is resumed", async () => {
  const before = stateOf(await nation.status(), "astana", "postgres");
  await nation.pause("astana", "postgres");
  expect(stateOf(await nation.status(), "astana", "postgres").state).toBe("paused");
  await nation.resume("astana", "postgres");
  await until("it is ready again", async () => {
    const now = stateOf(await nation.status(), "astana", "postgres");
    return now.state === "ready" && now.pid === before.pid;
  });
});

test("a stopped service stays stopped until it is started", async () => {
  await nation.stopService("astana", "postgres");
  expect(stateOf(await nation.status(), "astana", "postgres")).toMatchObject({ state: "stopped", pid: null });
  await nation.startService("astana", "postgres");
  await until(
    "it is ready again",
    async () => stateOf(await nation.status(), "astana", "postgres").state === "ready",
  );
});

test("a region added to the running nation joins it, and nobody is disturbed", async () => {
  const before = stateOf(await nation.status(), "capital", "nats");
  await connectControl(folder.path).addRegions(["almaty"]);
  await until("the new region's line is there", () => connected("almaty"));
  expect(await connected("astana")).toBe(true);
  expect(stateOf(await nation.status(), "capital", "nats").pid).toBe(before.pid);
  expect(readRunFile(folder.path).regions).toEqual(["almaty", "astana"]);
});

test("what is not there is named, with what there is", async () => {
  const control = connectControl(folder.path);
  await expect(control.cut("atlantis")).rejects.toMatchObject({ code: "unknown-region", value: "atlantis" });
  await expect(control.cut("capital")).rejects.toMatchObject({ code: "unknown-region", value: "capital" });
  await expect(control.kill("astana", "redis")).rejects.toMatchObject({
    code: "unknown-service",
    value: "redis",
    remedy: "one of: nats, postgres",
  });
});

test("a second start on the same data folder is refused", async () => {
  await expect(startServers(folder.path, ["astana"])).rejects.toMatchObject({
    code: "already-running",
    value: folder.path,
  });
});

test("a run that was stopped through its socket is gone, and the next goes on with ports and regions", async () => {
  const { sites } = readRunFile(folder.path);
  await connectControl(folder.path).stop();
  await nation.stopped;
  expect(() => readRunFile(folder.path)).toThrow(LocalRunError);
  nation = await startServers(folder.path, ["astana"], ["nats", "postgres"]);
  expect(nation.run.sites["astana"]).toEqual(sites["astana"]);
  expect(nation.run.sites["capital"]).toEqual(sites["capital"]);
  await until("the region that was not started now may still join", () => connected("astana"));
});
