import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { secretName } from "#infra/blueprint/parts.ts";
import { connectControl } from "#infra/local/control.ts";
import { keptHubNodes } from "#infra/local/nation-parts.ts";
import { readRunFile, type RunFile } from "#infra/local/run-file.ts";
import { appendBatch } from "#platform/append.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import { epochsOfLanes } from "#platform/epochs.ts";
import { createLog } from "#platform/log.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { ensureStream, hubStreamsOf, nationalStreams } from "#platform/streams.ts";
import { firstEpoch, hubStream, hubSubject, regionStream, streamAsk, type Lane } from "#proto/names.ts";
import { CommandFailed } from "../failure.ts";
import type { LocalSite } from "./site.ts";

/** The epoch that the capital writes in. */
const capitalEpoch = firstEpoch;

/** A stream of the hub that was filled from a region's copy. */
export interface Filled {
  readonly stream: string;
  readonly region: string;
  readonly first: number;
  readonly last: number;
}

interface Copy {
  readonly region: string;
  readonly connection: NatsConnection;
  readonly first: number;
  readonly last: number;
}

/**
 * Gives a hub whose storage is lost what PostgreSQL's backup does not reach to:
 * the regions have every message of NATIONAL, and each its FOR, up to the last
 * moment. Coordination, which must not run yet, takes it into PostgreSQL from
 * there. Copies of two regions that differ are used for nothing.
 *
 * PostgreSQL is told how far the regions' lanes go, which come up again only
 * afterwards: with a part of the opinions nothing must be folded.
 *
 * @throws CommandFailed `histories-differ`
 */
export async function fillHub(capital: LocalSite): Promise<readonly Filled[]> {
  const run = readRunFile(capital.folder.root);
  await using connections = new AsyncDisposableStack();
  const open = async (site: string, user: string) =>
    connections.adopt(await connect(run, site, user), (each) => each.close());
  const hub = await open(capitalSite, "coordination");
  const regions = new Map<string, NatsConnection>();
  for (const region of await runningRegions(run)) regions.set(region, await open(region, "replication"));
  const database = await databaseOf(capital);
  connections.defer(() => database.end());
  const known = await committedIn(database);
  const replicas = keptHubNodes(capital.folder) ?? 1;
  const filled: Filled[] = [];

  const national = await copiesOf(regions, regionStream.national(capitalEpoch));
  await requireOneHistory(national, regionStream.national(capitalEpoch));
  const longest = national.toSorted((left, right) => right.last - left.last)[0];
  if (longest !== undefined && longest.last > known.national) {
    const [wanted] = nationalStreams(capitalEpoch, replicas);
    const subject = hubSubject.national(capitalEpoch);
    await noteLanes(database, await lanesOf(regions));
    filled.push(await fill(hub, { ...wanted, name: hubStream.national(capitalEpoch) }, subject, longest));
  }
  for (const copy of await copiesOf(regions, regionStream.forRegion(capitalEpoch))) {
    if (copy.last <= (known.forRegion.get(copy.region) ?? 0)) continue;
    const name = hubStream.forRegion(copy.region, capitalEpoch);
    const wanted = hubStreamsOf(copy.region, [], capitalEpoch, replicas).find((each) => each.name === name);
    filled.push(await fill(hub, { ...wanted, name }, hubSubject.forRegion(copy.region, capitalEpoch), copy));
  }
  // So many were asked as the capital would wait for.
  if (2 * regions.size > run.regions.length) await noteHeard(database);
  return filled;
}

async function connect(run: RunFile, site: string, user: string): Promise<NatsConnection> {
  const { ca, certificate, key } = run.clients.cli;
  const addresses = Object.entries(run.sites[site] ?? {}).flatMap(([name, ports]) =>
    name.startsWith("nats") && ports?.["client"] !== undefined ? [ports["client"]] : [],
  );
  const seed = join(run.dataFolder, site, "secrets", secretName.natsUser(user));
  return connectNats(
    { NATS_URL: `tls://${addresses.join(",")}`, NATS_SEED_FILE: readFileSync(seed, "utf8").trim() },
    { ca: readFileSync(ca, "utf8"), cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") },
    "rebuild",
    createLog("rebuild", site, "error"),
  );
}

async function runningRegions(run: RunFile): Promise<string[]> {
  const { services } = await connectControl(run.dataFolder).status();
  return services
    .filter(({ region, service, state }) => region !== capitalSite && service === "nats" && state === "ready")
    .map(({ region }) => region);
}

async function databaseOf(capital: LocalSite): Promise<pg.Client> {
  const { server } = capital.postgres;
  const client = new pg.Client({
    ...capital.databaseAddress,
    user: server.superuser,
    password: capital.password,
    database: server.database,
  });
  await client.connect();
  return client;
}

/** Last messages that the restored PostgreSQL knows: 0 where it has none. */
async function committedIn(
  database: pg.Client,
): Promise<{ readonly national: number; readonly forRegion: ReadonlyMap<string, number> }> {
  const national = await database.query<{ last: string }>(
    "select coalesce(max(sequence), 0) as last from national_log where epoch = $1",
    [capitalEpoch],
  );
  const regions = await database.query<{ region: string; last: string }>(
    "select region, for_sequence as last from region_state",
  );
  return {
    national: Number(national.rows[0]?.last ?? 0),
    forRegion: new Map(regions.rows.map(({ region, last }) => [region, Number(last)])),
  };
}

interface LaneOfRegion {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly last: number;
}

/** The regions' lanes that hold something, in every epoch that they keep. */
async function lanesOf(regions: ReadonlyMap<string, NatsConnection>): Promise<LaneOfRegion[]> {
  const found: LaneOfRegion[] = [];
  for (const [region, connection] of regions) {
    for (const { epoch, lanes } of await epochsOfLanes(connection)) {
      for (const lane of lanes) {
        const { last } = await streamRange(connection, streamAsk.info(regionStream.lane(lane, epoch)));
        if (last > 0) found.push({ region, lane, epoch, last });
      }
    }
  }
  return found;
}

/** What coordination must read again before it folds anything (services/coordination/store/recover-national.ts). */
async function noteLanes(database: pg.Client, lanes: readonly LaneOfRegion[]): Promise<void> {
  await database.query(
    `insert into inbox (region, lane, epoch, sequence, moved_at_ms, read_to)
     select region, lane, epoch, 0, 0, last
     from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) there (region, lane, epoch, last)
     on conflict (region, lane, epoch) do update set read_to = greatest(inbox.read_to, excluded.read_to)`,
    [
      lanes.map(({ region }) => region),
      lanes.map(({ lane }) => lane),
      lanes.map(({ epoch }) => epoch),
      lanes.map(({ last }) => last),
    ],
  );
}

/** Coordination need not wait for what the regions have (services/coordination/regions-heard.ts): they were asked. */
async function noteHeard(database: pg.Client): Promise<void> {
  await database.query("update national_state set timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8)");
}

/** The regions' copies of a stream that hold something. */
async function copiesOf(regions: ReadonlyMap<string, NatsConnection>, stream: string): Promise<Copy[]> {
  const copies: Copy[] = [];
  for (const [region, connection] of regions) {
    const range = await streamRange(connection, streamAsk.info(stream));
    if (range.last >= range.first && range.last > 0) copies.push({ region, connection, ...range });
  }
  return copies;
}

/** @throws CommandFailed where two regions have another message at the last sequence that both have */
async function requireOneHistory([one, ...others]: readonly Copy[], stream: string): Promise<void> {
  if (one === undefined) return;
  for (const other of others) {
    const sequence = Math.min(one.last, other.last);
    if (sequence < Math.max(one.first, other.first)) continue;
    const [[left], [right]] = await Promise.all(
      [one, other].map((copy) => batchGet(copy.connection, streamAsk.get(stream), sequence, 1)),
    ).then(([first = [], second = []]) => [first, second] as const);
    if (left !== undefined && right !== undefined && Buffer.compare(left.data, right.data) === 0) continue;
    throw new CommandFailed({
      code: "histories-differ",
      field: "stream",
      value: stream,
      message: `${one.region} and ${other.region} have different messages at ${sequence}: neither was taken`,
      remedy: "stop the one that is wrong (`qalqan evidence` tells), then run the command again",
    });
  }
}

/** Copies a region's messages to an empty stream of the hub; one that is not empty is continued. */
async function fill(
  hub: NatsConnection,
  wanted: Parameters<typeof ensureStream>[1],
  subject: string,
  copy: Copy,
): Promise<Filled> {
  const { region, connection, first, last } = copy;
  const manager = await hub.jetstreamManager({ checkAPI: false });
  await ensureStream(manager, first > 1 ? { ...wanted, first_seq: first } : wanted);
  const there = await streamRange(hub, streamAsk.info(wanted.name));
  const from = subject.startsWith("for.")
    ? regionStream.forRegion(capitalEpoch)
    : regionStream.national(capitalEpoch);
  for (let next = Math.max(first, there.last + 1); next <= last;) {
    const messages = await batchGet(connection, streamAsk.get(from), next);
    const end = messages.at(-1)?.sequence;
    if (end === undefined) throw new Error(`${region} gave nothing of ${from} from ${next} on`);
    await appendBatch(
      hub,
      next,
      messages.map(({ data }) => ({ subject, data })),
    );
    next = end + 1;
  }
  return { stream: wanted.name, region, first, last };
}
