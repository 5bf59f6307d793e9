import type { SealKeys } from "#domain/seal.ts";
import { capital } from "#domain/vocabulary.ts";
import { lastOfSubject, streamRange } from "#platform/batch-get.ts";
import { sql } from "#platform/database.ts";
import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, streamAsk } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { archivedAs } from "./archive/hub-stream-name.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { claimOf, haveHadTheirTime, isOlderThanNation, type Claim } from "./domain/older-history.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { HistoriesDiffer } from "./store/recover-national.ts";

const lookEveryMs = 500;
/** An older heartbeat is one that a region's lane was filled up with: what it says was so once (ms). Where clocks differ by more, the wait is the longest. */
const freshMsMax = 60_000;

/**
 * Whether the regions, as far as they were heard, have no more of NATIONAL than
 * the capital. After PostgreSQL was put back, which its timeline tells, they
 * are given time to say so before anything is written; their lanes at the hub
 * must be there. No region alone keeps the capital from writing for longer than
 * that, unless it shows the capital's own seal over what comes later.
 *
 * @param committed last message that the capital knows
 * @param keys the capital's among them
 * @throws HistoriesDiffer, LeaderReplaced, or what does not answer
 */
export async function assertNotOlder(
  database: Database,
  connection: NatsConnection,
  lead: Lead,
  committed: number,
  keys: SealKeys,
  signal: AbortSignal,
): Promise<void> {
  const timeline = await timelineOf(database);
  const isPutBack = timeline.known !== null && timeline.known !== timeline.now;
  const ask = streamAsk.info(hubStream.national(capitalEpoch));
  const isHubEmpty = isPutBack && (await streamRange(connection, ask)).last === 0;
  const beganMs = performance.now();
  const sealed = { epoch: capitalEpoch, keys };
  const isOlder = () => isOlderThanNation(claims, claims.length, committed, sealed);
  let { claims, ...heard } = await lastHeld(connection);
  while (
    isPutBack &&
    !isOlder() &&
    !haveHadTheirTime({ ...heard, isHubEmpty, waitedMs: performance.now() - beganMs })
  ) {
    if (!(await pause(lookEveryMs, signal))) throw signal.reason;
    ({ claims, ...heard } = await lastHeld(connection));
  }
  if (isOlder()) {
    const furthest = Math.max(...claims.map(({ last }) => last));
    throw new HistoriesDiffer(
      `regions have up to message ${furthest} of NATIONAL, PostgreSQL and the hub end at ${committed}`,
    );
  }
  await lead.write(database, (transaction) =>
    sql`update national_state set timeline = ${timeline.now}`.execute(transaction),
  );
}

/**
 * The same while the capital leads, by what the regions have told since.
 *
 * @throws HistoriesDiffer: what is given a number here is another message there, and nothing more may be written
 */
export function assertNotOlderNow({ regions, sequence }: CapitalState, keys: SealKeys): void {
  const claims = [...regions.values()].flatMap((region) => claimOf(region, capitalEpoch) ?? []);
  if (isOlderThanNation(claims, regions.size, sequence, { epoch: capitalEpoch, keys }))
    throw new HistoriesDiffer(`regions have more of NATIONAL than ${sequence} messages`);
}

/** What the regions have of NATIONAL. */
interface Heard {
  /** As each region's newest heartbeat in the hub says, of the highest epoch that has one. */
  readonly claims: readonly Claim[];
  /** So many have said it now. */
  readonly fresh: number;
  /** So many regions have a lane at the hub. */
  readonly regions: number;
}

async function lastHeld(connection: NatsConnection): Promise<Heard> {
  const found = new Map<string, { readonly claim: Claim; readonly epoch: number; readonly atMs: number }>();
  const regions = new Set<string>();
  const manager = await connection.jetstreamManager({ checkAPI: false });
  for await (const name of manager.streams.names()) {
    const of = archivedAs(name, capital);
    if (of === undefined || of.site === capital || of.stream !== "events") continue;
    const { site: region, epoch } = of;
    regions.add(region);
    if (epoch < (found.get(region)?.epoch ?? 0)) continue;
    const subject = hubSubject.up("events", region, epoch, "replication.heartbeat");
    const last = await lastOfSubject(connection, streamAsk.get(name), subject);
    const body = last === undefined ? undefined : bodyOf(last.data);
    if (body?.$case !== "heartbeat") continue;
    const claim = claimOf(body.value, capitalEpoch);
    if (claim !== undefined) found.set(region, { claim, epoch, atMs: body.value.atMs });
  }
  const all = [...found.values()];
  const fresh = all.filter(({ atMs }) => Date.now() - atMs < freshMsMax).length;
  return { claims: all.map(({ claim }) => claim), fresh, regions: regions.size };
}

/** Undefined: it is no event. Whoever holds a stolen key writes what he likes, and it must not keep the capital from starting. */
function bodyOf(data: Uint8Array): Event["body"] {
  try {
    return Event.decode(data).body;
  } catch {
    return undefined;
  }
}

/** The timeline that PostgreSQL is in: another one after each restore; null: the capital has not led yet. */
async function timelineOf(
  database: Database,
): Promise<{ readonly known: string | null; readonly now: string }> {
  const { rows } = await sql<{ known: string | null; now: string }>`
    select timeline as known, left(pg_walfile_name(pg_current_wal_lsn()), 8) as now from national_state
  `.execute(database);
  const [row] = rows;
  if (row === undefined) throw new Error("national_state has no row");
  return row;
}
