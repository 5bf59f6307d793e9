import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { connectControl } from "#infra/local/control.ts";
import { call } from "#platform/grpc-client.ts";
import type { NationStatus } from "#proto/qalqan/coordination/v1/coordination.ts";
import { accessNation } from "../../../services/cli/faults/access.ts";
import type { NationAccess } from "../../../services/cli/faults/checker.ts";
import type { RegionAccess } from "../../../services/cli/faults/load.ts";
import { RunningNation } from "../../nation/running-nation.ts";
import { enforcedEverywhere, issueAtRate, issueFrom, type Stations } from "../directive.ts";
import { percentile } from "../percentiles.ts";
import { eventBytes } from "./bulk.ts";
import type { SyncLeg, SyncSize } from "./leg.ts";
import { PeerServers } from "./peer.ts";

/** Largest file of one import. */
const importEntriesMax = 250_000;
const importedNumbers = 1_000_000;
/** What a nation's people issue one by one in a busy hour: half a million in a day at this rate. */
const issuedPerSecond = 6;
const issued = 300;
/** Of each region, by processes that have just started: code not compiled yet, connections not made. */
const firstOfEach = 3;
/** Each client's, when they ask without a rate. */
const issuedWithoutRate = 20;
/** While a region's backlog is worked off, urgent ones are issued for so long, by its size. */
const backlogLeastMs = 10_000;
const backlogMostMs = 40_000;
const waitMs = 600_000;
/** NATIONAL that has not grown for so long is decided: seals end a second after the last decision. */
const quietMs = 4_000;
const dayMs = 24 * 3_600_000;
const perOperator = 45;
/**
 * So often each region issues an urgent one, and it is looked whether it is enforced (ms): regions say themselves since
 * when, and the receipts of one that imports come late. Each look is work for the capital.
 */
const urgentEveryMs = 2_000;
const urgentLookMs = 1_000;

type Access = NationAccess & Disposable;

/**
 * Accepted → enforced in every region, at a rate that is stated and does not
 * follow the answers (an open loop), the regions in turn. A directive is
 * accepted at the time that it carries, which is before its commit. As notes:
 * from when the author reads that it was accepted, the first ones of processes
 * that have just started, and what it is with a client in each region that asks
 * again as soon as it is answered.
 */
export async function directed(regions: 3 | 20, { scale }: SyncSize): Promise<SyncLeg[]> {
  const count = Math.max(100, Math.round(issued * scale));
  const peer = await peerUpAndDown(count);
  await using nation = await startNation(regions);
  using access = await accessNation(nation.dataFolder);
  const measure = async (from: number, number: number) => {
    const stations = new Map<string, Stations>();
    await issueAtRate(access.regions, issuedPerSecond, stations, { from, count: number });
    const enforced = await enforcedEverywhere(access, [...stations.keys()]);
    const answered = [...stations].map(
      ([id, { acceptedAtMs, answeredAtMs }]) => (enforced.get(id) ?? 0) + acceptedAtMs - answeredAtMs,
    );
    return { after: [...enforced.values()], answered };
  };
  const firstOnes = firstOfEach * regions;
  const { after: cold } = await measure(0, firstOnes);
  const { after, answered } = await measure(firstOnes, count);

  const saturated = new Map<string, Stations>();
  const beganMs = performance.now();
  const clients = access.regions.map((region, place) => {
    const from = firstOnes + count;
    return issueFrom(region, place, regions, saturated, { from, count: issuedWithoutRate * regions });
  });
  await Promise.all(clients);
  const perSecond = (saturated.size / (performance.now() - beganMs)) * 1_000;
  const then = [...(await enforcedEverywhere(access, [...saturated.keys()])).values()];
  const limits = regions === 3 ? { p50: 10, p99: 50 } : { p50: 40, p99: 150 };
  const leg = (name: "p50" | "p99", share: number): SyncLeg => ({
    ...{ name: `accepted → enforced in ${regions} regions, ${name}`, measured: percentile(after, share) },
    ...{ unit: "ms", limit: limits[name], limitIs: "at most" },
    peer: { name: "NATS's own source and mirror, one region", measured: percentile(peer, share) },
    note:
      `${after.length} directives, ${issuedPerSecond}/s over all regions, open loop; ` +
      `from the author's answer, which comes later: ${percentile(answered, share).toFixed(1)} ms; ` +
      `the first ${firstOnes} after the start: ${percentile(cold, share).toFixed(1)} ms; ` +
      `with ${regions} clients that never pause ${perSecond.toFixed(0)}/s: ${percentile(then, share).toFixed(1)} ms`,
  });
  return [leg("p50", 0.5), leg("p99", 0.99)];
}

async function peerUpAndDown(count: number): Promise<number[]> {
  await using peer = await PeerServers.start();
  return await peer.upAndDown(
    Array.from({ length: count }, (_, index) => eventBytes(index)),
    issuedPerSecond,
  );
}

/** Urgent blocks and unblocks while a million numbers are imported, and right after the day's backlog of a region that was cut off. */
export async function overtakes({ scale }: SyncSize): Promise<SyncLeg[]> {
  await using nation = await startNation(3);
  using access = await accessNation(nation.dataFolder);
  const imported = importAll(nation, "almaty", Math.round(importedNumbers * scale));
  const during = await issueAndRevoke(access, imported.done, 0);
  const importMs = await imported.done;

  const control = connectControl(nation.dataFolder);
  const backlog = Math.round((importedNumbers / 4) * scale);
  await control.cut("mangystau");
  await importAll(nation, "mangystau", backlog, "+4475", false).done;
  const healedAtMs = Date.now();
  await control.heal("mangystau");
  await untilHeard(access, "mangystau", healedAtMs);
  const lineMs = Date.now() - healedAtMs;
  const after = await issueAndRevoke(access, sleep(Math.max(backlogLeastMs, backlogMostMs * scale)), 1);
  const leg = (name: string, samples: readonly number[], note: string): SyncLeg => ({
    ...{ name, measured: percentile(samples, 0.99) / 1_000, unit: "s", limit: 1, limitIs: "at most" },
    note: `${samples.length} samples, p50 ${(percentile(samples, 0.5) / 1_000).toFixed(3)} s; ${note}`,
  });
  const total = Math.round(importedNumbers * scale);
  const took = `${total} numbers imported, approved and enforced everywhere in ${(importMs / 1_000).toFixed(1)} s`;
  const behind = `${backlog} numbers wait in one region; from when the capital heard it again, ${lineMs} ms after the line was healed`;
  return [
    leg("urgent block while an import runs, p99", during.blocks, took),
    leg("urgent unblock while an import runs, p99", during.unblocks, took),
    leg("urgent block after a backlog, p99", after.blocks, behind),
    leg("urgent unblock after a backlog, p99", after.unblocks, behind),
  ];
}

/** All regions but one are cut off, the nation goes on, and all lines come back at once. */
export async function reconnect({ scale }: SyncSize): Promise<SyncLeg[]> {
  await using nation = await startNation(20);
  using access = await accessNation(nation.dataFolder);
  const names = access.regions.map(({ region }) => region);
  const [stays = "", ...cut] = names;
  // Not by the command: nineteen of its processes would be measured too.
  const control = connectControl(nation.dataFolder);
  await Promise.all(cut.map((region) => control.cut(region)));
  await Promise.all(
    access.regions.map((region, place) =>
      issueFrom(region, place, names.length, new Map(), { from: 0, count: 10 * names.length }),
    ),
  );
  const numbers = Math.round((importedNumbers / 10) * scale);
  await importAll(nation, stays, numbers, "+4476", false).done;
  await untilDecided(access, stays);
  const hub = hubProcess(nation.dataFolder);
  let bytes = 0;
  const watch = setInterval(() => (bytes = Math.max(bytes, residentBytes(hub))), 200);
  const beganMs = performance.now();
  await Promise.all(cut.map((region) => control.heal(region)));
  await until(async () => {
    const status = await nationStatus(access);
    return status.regions.every(
      ({ state, sequence, digest }) =>
        state === "in-sync" && sequence === status.sequence && Buffer.compare(digest, status.digest) === 0,
    );
  });
  const tookMs = performance.now() - beganMs;
  clearInterval(watch);
  return [
    {
      ...{ name: "twenty regions reconnecting at once, all equal", measured: tookMs / 1_000, unit: "s" },
      ...{ limit: 60, limitIs: "at most" },
      note: `${numbers} directives missed by ${cut.length} regions, ${10 * cut.length} issued in them meanwhile; the hub's largest resident memory ${Math.round(bytes / 1e6)} MB`,
    },
  ];
}

/** The capital has heard something of the region since then: its line is there again. */
async function untilHeard(access: Access, region: string, sinceMs: number): Promise<void> {
  await until(async () => {
    const { regions, atMs } = await nationStatus(access);
    return regions.some((each) => each.region === region && atMs - each.stalenessMs > sinceMs);
  });
}

/** What the others miss is what the capital has decided: an import is folded for a while after it was approved. */
async function untilDecided(access: Access, region: string): Promise<void> {
  let known = -1;
  let sinceMs = performance.now();
  await until(async () => {
    const { sequence, regions } = await nationStatus(access);
    if (sequence !== known) [known, sinceMs] = [sequence, performance.now()];
    const hasAll = regions.some((each) => each.region === region && each.sequence === sequence);
    return hasAll && performance.now() - sinceMs >= quietMs;
  });
}

function startNation(regions: 3 | 20): Promise<RunningNation> {
  const slugs = loadRegions()
    .map(({ slug }) => slug)
    .slice(0, regions);
  return RunningNation.start(regions === 3 ? {} : { regions: slugs.join(",") });
}

async function nationStatus(access: Access): Promise<NationStatus> {
  return call(access.coordination.getStatus.bind(access.coordination), {}, { metadata: access.reader });
}

/** Imports numbers in files as large as one may be, each approved by a second person; milliseconds until all are enforced. */
function importAll(
  nation: RunningNation,
  region: string,
  numbers: number,
  prefix = "+4477",
  awaitsAll = true,
): { readonly done: Promise<number> } {
  const work = async () => {
    const beganMs = performance.now();
    for (let from = 0; from < numbers; from += importEntriesMax) {
      const file = path.join(nation.dataFolder, `import-${prefix}-${from}.csv`);
      const size = Math.min(importEntriesMax, numbers - from);
      const lines = Array.from(
        { length: size },
        (_, index) => `${prefix}${String(from + index).padStart(8, "0")}`,
      );
      writeFileSync(file, `number\n${lines.join("\n")}\n`);
      const batch = (
        await nation.json<{ batch: string }>(...["import", file, "--region", region, "--format", "csv"])
      ).batch;
      const wait = awaitsAll ? ["--wait", "230"] : [];
      await nation.run("directive", "approve", "--batch", batch, "--region", region, ...wait);
    }
    return performance.now() - beganMs;
  };
  return { done: work() };
}

/** In each region a block each two seconds, whatever became of the one before, and as soon as all enforce it its revocation. */
async function issueAndRevoke(access: Access, over: Promise<unknown>, place: number) {
  const samples = { blocks: [] as number[], unblocks: [] as number[] };
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  void over.then(end, end);
  const one = async (region: RegionAccess, regionPlace: number, index: number) => {
    const metadata = await region.operator(1 + 100 * place + Math.floor(index / perOperator));
    const number = `+4479${regionPlace}${place}${String(index).padStart(6, "0")}`;
    const askedMs = Date.now();
    const { id } = await call(
      region.centre.issueDirective.bind(region.centre),
      {
        ...{ number, range: "", trunk: "", action: "block", basis: "communications-law-41-1" },
        ...{ reason: "fraud", expiresAtMs: Date.now() + dayMs, scope: "nation", overrideRevision: 0 },
        ...{ evidence: [], falseStopOf: "", dryRun: false, idempotencyKey: "" },
      },
      { metadata },
    );
    samples.blocks.push((await enforcedEverywhereAt(access, id, "national")) - askedMs);
    const revokedMs = Date.now();
    await call(region.centre.revokeDirective.bind(region.centre), { id, reason: "mistake" }, { metadata });
    samples.unblocks.push((await enforcedEverywhereAt(access, id, "revoked")) - revokedMs);
  };
  const client = async (region: RegionAccess, regionPlace: number) => {
    // The first call opens the connection, which people have before they need it.
    await call(
      region.centre.listTrunks.bind(region.centre),
      {},
      { metadata: await region.operator(1) },
    ).catch(() => undefined);
    const begun: Promise<void>[] = [];
    for (let index = 0; !isOver; index += 1) {
      begun.push(one(region, regionPlace, index));
      // A failure is thrown when all are awaited.
      begun.at(-1)?.catch(end);
      await sleep(urgentEveryMs);
    }
    await Promise.all(begun);
  };
  await Promise.all(access.regions.map((region, index) => client(region, index)));
  return samples;
}

/** When the last region enforced the directive's last decision; milliseconds since 1970. */
async function enforcedEverywhereAt(access: Access, id: string, state: string): Promise<number> {
  let atMs = 0;
  await until(async () => {
    const view = await call(
      access.coordination.getDirective.bind(access.coordination),
      { id },
      { metadata: access.reader },
    ).catch(() => undefined);
    const enforced = (view?.receipts ?? []).filter((receipt) => receipt.state === "enforced");
    atMs = Math.max(...enforced.map(({ enforcedAtMs }) => enforcedAtMs));
    return view?.state === state && enforced.length === access.regions.length;
  }, urgentLookMs);
  return atMs;
}

async function until(condition: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const endMs = Date.now() + waitMs;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`not so within ${waitMs} ms`);
    await sleep(everyMs);
  }
}

/** The hub's server among the processes of this machine. */
function hubProcess(dataFolder: string): string {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const words = readIfThere(`/proc/${name}/cmdline`).split("\0");
    if (!words[0]?.endsWith("nats-server")) continue;
    if (words.some((word) => word.startsWith(path.join(dataFolder, "capital")))) return name;
  }
  throw new Error("the hub's process was not found");
}

function residentBytes(process: string): number {
  const [, kibibytes = "0"] = /VmRSS:\s+(\d+) kB/.exec(readIfThere(`/proc/${process}/status`)) ?? [];
  return Number(kibibytes) * 1_024;
}

/** Empty: the process has ended. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
