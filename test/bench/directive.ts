import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRunFile, addressIn } from "#infra/local/run-file.ts";
import { call } from "#platform/grpc-client.ts";
import { follow } from "#platform/follow.ts";
import { createLog } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { firstEpoch, hubStream, regionStream } from "#proto/names.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { accessNation } from "../../services/cli/faults/access.ts";
import type { NationAccess } from "../../services/cli/faults/checker.ts";
import type { RegionAccess } from "../../services/cli/faults/load.ts";
import { RunningNation } from "../nation/running-nation.ts";
import { legOf, shown, type Leg } from "./percentiles.ts";

const directives = 1_000;
const dayMs = 24 * 3_600_000;
/** Between two directives of one region's client: people, not a load test. */
const gapMs = 80;
const perOperator = 45;
const targets = { p50Ms: 20, p99Ms: 100 };
const settleWaitMs = 30_000;

/** Milliseconds since 1970 at each station of one directive. */
export interface Stations {
  readonly acceptedAtMs: number;
  readonly answeredAfterMs: number;
  /** When the author read "accepted". */
  readonly answeredAtMs: number;
  region?: number;
  hub?: number;
  national?: number;
}

/**
 * Accepted → enforced in every region, over three regions with fsync
 * everywhere, and what each leg of the way takes. All clocks are one machine's.
 */
export async function directiveBenchmark(json: boolean): Promise<void> {
  await using nation = await RunningNation.start();
  using access = await accessNation(nation.dataFolder);
  const stations = new Map<string, Stations>();
  await Promise.all(
    access.regions.map((region, place) =>
      issueFrom(region, place, access.regions.length, stations, {
        from: 0,
        count: directives,
        gapMs,
      }),
    ),
  );
  const enforced = await enforcedEverywhere(access, [...stations.keys()]);
  await readStations(nation.dataFolder, access, stations);
  const legs = legsOf(stations, enforced);
  const total = legs.at(-1);
  if (total === undefined) throw new Error("nothing was measured");
  const ratio = { p50: total.p50Ms / targets.p50Ms, p99: total.p99Ms / targets.p99Ms };
  if (json) {
    console.info(
      JSON.stringify({ directives: stations.size, regions: access.regions.length, legs, targets, ratio }),
    );
    return;
  }
  console.info(`${stations.size} directives over ${access.regions.length} regions, fsync on`);
  console.info(`${"leg".padEnd(44)}${"p50".padStart(10)}${"p99".padStart(10)}`);
  for (const leg of legs) console.info(`${leg.name.padEnd(44)}${shown(leg.p50Ms)}${shown(leg.p99Ms)}`);
  console.info(
    `of the target (${targets.p50Ms} / ${targets.p99Ms} ms): p50 ${ratio.p50.toFixed(2)}, p99 ${ratio.p99.toFixed(2)}`,
  );
}

/** Which directives are issued: numbers from `from` on, and how long each client waits after each (ms). */
export interface Issuing {
  readonly from: number;
  readonly count: number;
  readonly gapMs?: number;
}

/** Issues a region's share of so many directives, each by a person who may, and notes what was accepted when. */
export async function issueFrom(
  access: RegionAccess,
  place: number,
  regions: number,
  stations: Map<string, Stations>,
  { from, count, gapMs: waitMs = 0 }: Issuing,
): Promise<void> {
  for (let index = from + place; index < from + count; index += regions) {
    await issueOne(access, index, Math.floor(index / regions), stations);
    if (waitMs > 0) await sleep(waitMs);
  }
}

/** Issues so many directives a second, the regions in turn, however long each takes (an open loop). */
export async function issueAtRate(
  regions: readonly RegionAccess[],
  perSecond: number,
  stations: Map<string, Stations>,
  { from, count }: Issuing,
): Promise<void> {
  const beganMs = performance.now();
  const asked: Promise<void>[] = [];
  for (const [index, region] of inTurn(regions, count)) {
    const waitMs = beganMs + (index * 1_000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const issued = from + index;
    asked.push(issueOne(region, issued, Math.floor(issued / regions.length), stations));
  }
  await Promise.all(asked);
}

function* inTurn<Item>(items: readonly Item[], count: number): Generator<[number, Item]> {
  for (let index = 0; index < count; index += 1) {
    const item = items[index % items.length];
    if (item !== undefined) yield [index, item];
  }
}

/**
 * Issues directive `index`, by a person who may, and notes when it was accepted.
 *
 * @param issued so many were issued in this region before
 */
async function issueOne(
  access: RegionAccess,
  index: number,
  issued: number,
  stations: Map<string, Stations>,
): Promise<void> {
  const askedAt = performance.now();
  const view = await call(
    access.centre.issueDirective.bind(access.centre),
    {
      number: `+4478${String(index).padStart(8, "0")}`,
      range: "",
      trunk: "",
      action: "block",
      basis: "communications-law-41-1",
      reason: "fraud",
      expiresAtMs: Date.now() + 6 * dayMs,
      scope: "nation",
      overrideRevision: 0,
      evidence: [],
      falseStopOf: "",
      dryRun: false,
      idempotencyKey: "",
    },
    { metadata: await access.operator(1 + Math.floor(issued / perOperator)) },
  );
  const answeredAfterMs = performance.now() - askedAt;
  stations.set(view.id, { acceptedAtMs: view.acceptedAtMs, answeredAfterMs, answeredAtMs: Date.now() });
}

/** For each directive, how long after acceptance the last region enforced it. */
export async function enforcedEverywhere(
  access: NationAccess,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const untilMs = Date.now() + settleWaitMs;
  const after = new Map<string, number>();
  for (const id of ids) {
    for (;;) {
      const view: DirectiveView = await call(
        access.coordination.getDirective.bind(access.coordination),
        { id },
        { metadata: access.reader },
      );
      const receipts = view.receipts.filter(({ state }) => state === "enforced");
      if (receipts.length === access.regions.length) {
        after.set(id, Math.max(...receipts.map(({ enforcedAtMs }) => enforcedAtMs - view.acceptedAtMs)));
        break;
      }
      if (Date.now() > untilMs) throw new Error(`${id} is enforced in ${receipts.length} regions only`);
      await sleep(100);
    }
  }
  return after;
}

/** Reads the times at which the streams have stored each directive. */
async function readStations(
  dataFolder: string,
  access: NationAccess,
  stations: Map<string, Stations>,
): Promise<void> {
  const byEvent = (station: "region" | "hub") => (data: Uint8Array, storedAtMs: number) => {
    const { body } = Event.decode(data);
    if (body?.$case !== "directives") return;
    for (const { id } of body.value.directives) {
      const known = stations.get(id);
      if (known !== undefined) known[station] ??= storedAtMs;
    }
  };
  const hub = await connectAs(dataFolder, "capital", "coordination");
  for (const { region } of access.regions) {
    const own = await connectAs(dataFolder, region, "replication");
    await readStream(own, regionStream.lane("urgent", firstEpoch), byEvent("region"));
    await readStream(hub, hubStream.up("urgent", region, firstEpoch), byEvent("hub"));
    await own.close();
  }
  await readStream(hub, hubStream.national(firstEpoch), (data, storedAtMs) => {
    for (const { directive } of NationalBatch.decode(data).decisions) {
      const known = stations.get(directive);
      if (known !== undefined) known.national ??= storedAtMs;
    }
  });
  await hub.close();
}

async function connectAs(
  dataFolder: string,
  site: string,
  service: "coordination" | "replication",
): Promise<NatsConnection> {
  const secret = (name: string) => readFileSync(path.join(dataFolder, site, "secrets", name), "utf8");
  const run = readRunFile(dataFolder);
  return connectNats(
    {
      NATS_URL: `tls://${addressIn(run, site, "nats", "client")}`,
      NATS_SEED_FILE: secret(`nats-${service}`).trim(),
    },
    {
      ca: readFileSync(run.clients.cli.ca, "utf8"),
      cert: secret(`${service}-certificate.pem`),
      key: secret(`${service}-certificate.key.pem`),
    },
    "bench",
    createLog("bench", site, "warn"),
  );
}

async function readStream(
  connection: NatsConnection,
  stream: string,
  take: (data: Uint8Array, storedAtMs: number) => void,
): Promise<void> {
  const manager = await connection.jetstreamManager({ checkAPI: false });
  const { last_seq: last } = (await manager.streams.info(stream)).state;
  if (last === 0) return;
  const stop = new AbortController();
  for await (const message of follow(connection, stream, 0, stop.signal)) {
    take(message.data, message.storedAtMs);
    if (message.sequence >= last) stop.abort();
  }
}

function legsOf(stations: ReadonlyMap<string, Stations>, enforced: ReadonlyMap<string, number>): Leg[] {
  const all = [...stations].map(([id, station]) => ({ ...station, enforced: enforced.get(id) }));
  const between = (
    name: string,
    from: (each: (typeof all)[number]) => number | undefined,
    to: typeof from,
  ): Leg => {
    const samples = all.flatMap((each) => {
      const [began, ended] = [from(each), to(each)];
      return began === undefined || ended === undefined ? [] : [ended - began];
    });
    return legOf(name, samples);
  };
  return [
    legOf(
      "asked → accepted (the person's answer)",
      all.map(({ answeredAfterMs }) => answeredAfterMs),
    ),
    between(
      "accepted → stored in the region's URGENT",
      (each) => each.acceptedAtMs,
      (each) => each.region,
    ),
    between(
      "URGENT → stored at the hub",
      (each) => each.region,
      (each) => each.hub,
    ),
    between(
      "hub → folded and stored in NATIONAL",
      (each) => each.hub,
      (each) => each.national,
    ),
    between(
      "NATIONAL → applied in the last region",
      (each) => each.national,
      (each) => (each.enforced === undefined ? undefined : each.acceptedAtMs + each.enforced),
    ),
    between(
      "accepted → enforced in every region",
      () => 0,
      (each) => each.enforced,
    ),
  ];
}
