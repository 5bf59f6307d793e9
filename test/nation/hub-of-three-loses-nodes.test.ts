import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl, type Control } from "#infra/local/control.ts";
import { readRunFile } from "#infra/local/run-file.ts";
import { hubStream } from "#proto/names.ts";
import { accessNation } from "../../services/cli/faults/access.ts";
import { checkNation } from "../../services/cli/faults/checker.ts";
import { Ledger } from "../../services/cli/faults/ledger.ts";
import { runLoad } from "../../services/cli/faults/load.ts";
import { RunningNation, type DirectiveDocument, type StatusDocument } from "./running-nation.ts";

const nodes = ["nats-0", "nats-1", "nats-2"] as const;
let nation: RunningNation;
let control: Control;
let issued = 0;

beforeAll(async () => {
  nation = await RunningNation.start({ regions: "astana,almaty", hub: "3" });
  control = connectControl(nation.dataFolder);
});
afterAll(async () => {
  await nation[Symbol.asyncDispose]();
});

/** The node that leads the stream of the national table. */
async function leadingNode(): Promise<string> {
  for (const node of nodes) {
    const monitor = readRunFile(nation.dataFolder).sites["capital"]?.[node]?.["monitor"];
    const answer = await fetch(`http://${monitor}/jsz?acc=CAPITAL&streams=true`);
    const { account_details: accounts = [] } = (await answer.json()) as {
      account_details?: { stream_detail?: { name: string; cluster?: { leader?: string } }[] }[];
    };
    const all = accounts.flatMap(({ stream_detail: streams = [] }) => streams);
    const leader = all.find(({ name }) => name === hubStream.national(1))?.cluster?.leader;
    if (leader !== undefined) return leader;
  }
  throw new Error("no node says who leads");
}

/** How long a directive of a region took until every region enforced it. */
async function enforcedAfterMs(): Promise<number> {
  const began = performance.now();
  issued += 1;
  const { id } = await nation.json<DirectiveDocument>(
    ...["directive", "issue", "--region", "astana", "--number", `+447911${String(issued).padStart(6, "0")}`],
    ...["--action", "block", "--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d"],
  );
  for (;;) {
    const { receipts } = await nation.json<DirectiveDocument>("directive", "show", id);
    if (receipts.length > 1 && receipts.every(({ state }) => state === "enforced")) break;
    await sleep(200);
  }
  return performance.now() - began;
}

async function untilAllReady(): Promise<void> {
  for (;;) {
    const { services } = await control.status();
    if (services.every(({ state }) => state === "ready")) return;
    await sleep(200);
  }
}

test("each node is a process of its own, and shown", async () => {
  // A node that is catching up with streams just made is not ready for a moment.
  await untilAllReady();
  const { services } = await nation.json<StatusDocument>("status");
  const shown = services.filter(({ region, service }) => region === "capital" && service.startsWith("nats"));
  expect(shown.map(({ service, state }) => [service, state])).toEqual(nodes.map((node) => [node, "ready"]));
});

test("nothing is lost or doubled while any one node, the leader, and all at once are killed under load", async () => {
  using access = await accessNation(nation.dataFolder);
  const ledger = new Ledger();
  const stop = new AbortController();
  const load = runLoad(
    access.regions,
    ledger,
    { seed: 1, block: 1, clients: 2, pauseMsMax: 200 },
    stop.signal,
  );
  for (const node of nodes) {
    await control.kill("capital", node);
    console.info(`killed ${node}: enforced again after ${Math.round(await enforcedAfterMs())} ms`);
    await untilAllReady();
  }
  const leader = await leadingNode();
  await control.kill("capital", leader);
  console.info(`killed the leader ${leader}: enforced again after ${Math.round(await enforcedAfterMs())} ms`);
  await untilAllReady();
  await Promise.all(nodes.map((node) => control.kill("capital", node)));
  console.info(`killed all: enforced again after ${Math.round(await enforcedAfterMs())} ms`);
  stop.abort();
  await load;
  const verdict = await checkNation(access, ledger);
  expect(verdict.acknowledged).toBeGreaterThan(50);
  expect(verdict).toMatchObject({ lost: [], doubled: [], diverged: [], refused: [] });
});

test("a paused leader is left for the nodes that answer, and takes its place again", async () => {
  const leader = await leadingNode();
  await control.pause("capital", leader);
  console.info(`paused the leader ${leader}: enforced after ${Math.round(await enforcedAfterMs())} ms`);
  await control.resume("capital", leader);
  await untilAllReady();
  expect(await enforcedAfterMs()).toBeGreaterThan(0);
});

test("a hub keeps its number of nodes", async () => {
  await nation.stop();
  const again = await nation.run("start", "--hub", "1", "--regions", "astana,almaty", "--traffic", "off");
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("has 3 nodes");
});
