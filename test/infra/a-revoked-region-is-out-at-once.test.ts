import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { hubStream, hubSubject } from "#proto/names.ts";
import { StolenLine } from "#test/attacks/stolen-line.ts";
import {
  connectAs,
  leafAddress,
  startServers,
  stateOf,
  steal,
  stolenFrom,
  temporaryFolder,
  until,
} from "./small-nation.ts";

const folder = temporaryFolder();
let nation: Awaited<ReturnType<typeof startServers>>;
const subject = hubSubject.up("events", "astana", 1, "centre.directive");

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana", "almaty"]);
  await using coordination = await connectAs(nation, "capital", "coordination");
  const hub = await coordination.jetstreamManager();
  await hub.streams.add({ name: hubStream.up("events", "astana", 1), subjects: ["up.astana.1.>"] });
  await until("the lines are there", async () => (await connected("astana")) && (await connected("almaty")));
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

/** Whether the region's own server has its leaf node at the hub. */
async function connected(region: string): Promise<boolean> {
  const monitor = nation.run.sites[region]?.["nats"]?.["monitor"] ?? "";
  const answer = await fetch(`http://${monitor}/leafz`).catch(() => undefined);
  // It starts again.
  if (answer === undefined) return false;
  const { leafs } = (await answer.json()) as { leafs?: readonly unknown[] };
  return (leafs?.length ?? 0) > 0;
}
const keyChanges = () => {
  const list = JSON.parse(readFileSync(nation.run.regionsFile, "utf8")) as {
    slug: string;
    keyChanges?: { change: string }[];
  }[];
  return list.find(({ slug }) => slug === "astana")?.keyChanges?.map(({ change }) => change);
};
const pid = async (site: string) => stateOf(await nation.status(), site, "nats").pid;

test("revoke: every line with the key ends, none is opened, nothing is heard or taken; nobody restarts", async () => {
  const stolen = await steal(nation, "astana");
  expect(JSON.parse((await stolen.ask(subject, "before")) ?? "{}")).toMatchObject({ seq: 1 });
  stolen.listen("live.national.>");
  await stolen.flush();
  const before = { capital: await pid("capital"), astana: await pid("astana"), almaty: await pid("almaty") };

  await connectControl(folder.path).revoke("astana");
  await until("the stolen line is gone", () => !stolen.isOpen);
  await until("the region's own line is gone", async () => !(await connected("astana")));
  const again = await steal(nation, "astana");
  expect(again.isOpen).toBe(false);
  expect(again.errors.join()).toContain("Authorization Violation");
  await using coordination = await connectAs(nation, "capital", "coordination");
  coordination.publish(hubSubject.heartbeat, "for those who are in");
  await coordination.flush();
  const { state } = await (
    await coordination.jetstreamManager()
  ).streams.info(hubStream.up("events", "astana", 1));
  // What was said before is still there.
  expect(state.last_seq).toBe(1);
  expect(stolen.messages.some(({ text }) => text.includes("those who are in"))).toBe(false);
  expect(keyChanges()).toEqual(["revoked"]);
  expect(await connected("almaty")).toBe(true);
  expect({ capital: await pid("capital"), astana: await pid("astana"), almaty: await pid("almaty") }).toEqual(
    before,
  );
});

test("a revoked region stays out when everything is started again, and revoking it twice is as once", async () => {
  const credentials = stolenFrom(nation, "astana");
  await nation.revoke("astana");
  expect(keyChanges()).toEqual(["revoked"]);
  await nation.stop();
  nation = await startServers(folder.path, ["astana", "almaty"]);
  await until("the other region's line is there", () => connected("almaty"));
  expect((await StolenLine.open(leafAddress(nation), credentials)).isOpen).toBe(false);
  expect(await connected("astana")).toBe(false);
});

test("rotate: the region comes back with another key, and the one before opens nothing", async () => {
  const credentials = stolenFrom(nation, "astana");
  const before = { capital: await pid("capital"), almaty: await pid("almaty") };
  await connectControl(folder.path).rotate("astana");
  await until("its line is there again", () => connected("astana"));
  expect(keyChanges()).toEqual(["revoked", "renewed"]);
  expect((await StolenLine.open(leafAddress(nation), credentials)).isOpen).toBe(false);
  expect({ capital: await pid("capital"), almaty: await pid("almaty") }).toEqual(before);
});

test("rotate without a revoke before ends the lines of the key before, too", async () => {
  const stolen = await steal(nation, "astana");
  expect(stolen.isOpen).toBe(true);
  await connectControl(folder.path).rotate("astana");
  await until("the stolen line is gone", () => !stolen.isOpen);
  await until("its own line is there again", () => connected("astana"));
});

test("a region that does not belong to the nation is named", async () => {
  await expect(connectControl(folder.path).revoke("atlantis")).rejects.toMatchObject({
    code: "unknown-region",
    value: "atlantis",
    remedy: "one of: almaty, astana",
  });
});
