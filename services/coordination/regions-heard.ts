import { capital } from "#domain/vocabulary.ts";
import { lastOfSubject, streamRange } from "#platform/batch-get.ts";
import { sql } from "#platform/database.ts";
import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, streamAsk } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { archivedAs } from "./archive/hub-stream-name.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { isRevoked } from "./domain/key-changes.ts";
import {
  claimOf,
  furtherThan,
  haveHadTheirTime,
  type Claim,
  type Further,
  type NationalChain,
} from "./domain/older-history.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { HistoriesDiffer, newerCopy } from "./store/recover-national.ts";

const lookEveryMs = 500;
/** An older heartbeat is one that a region's lane was filled up with: what it says was so once (ms). Where clocks differ by more, the wait is the longest. */
const freshMsMax = 60_000;

interface Parts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly lead: Lead;
  /** Regions whose line has no key now: what they said last counts for nothing. */
  readonly revoked: ReadonlySet<string>;
}

/**
 * Whether the regions, as far as they were heard, have no more of NATIONAL than
 * the capital. After PostgreSQL was put back, which its timeline tells, they
 * are given time to say so before anything is written; their lanes at the hub
 * must be there. No region alone keeps the capital from writing for longer than
 * that, unless it shows the capital's own seal over what comes later.
 *
 * @param committed last message that the capital knows
 * @throws HistoriesDiffer, LeaderReplaced, or what does not answer
 */
export async function assertNotOlder(
  { database, connection, lead, revoked }: Parts,
  committed: number,
  chain: NationalChain,
  signal: AbortSignal,
): Promise<void> {
  const timeline = await timelineOf(database);
  const isPutBack = timeline.known !== null && timeline.known !== timeline.now;
  const ask = streamAsk.info(hubStream.national(capitalEpoch));
  const isHubEmpty = isPutBack && (await streamRange(connection, ask)).last === 0;
  const beganMs = performance.now();
  let { claims, ...heard } = await lastHeld(connection, revoked);
  const furtherNow = () => furtherThan(claims, claims.length, committed, chain);
  let further = furtherNow();
  while (
    isPutBack &&
    further === undefined &&
    !haveHadTheirTime({ ...heard, isHubEmpty, waitedMs: performance.now() - beganMs })
  ) {
    if (!(await pause(lookEveryMs, signal))) throw signal.reason;
    ({ claims, ...heard } = await lastHeld(connection, revoked));
    further = furtherNow();
  }
  if (further !== undefined) throw olderThan(further, committed);
  await lead.write(database, (transaction) =>
    sql`update national_state set timeline = ${timeline.now}`.execute(transaction),
  );
}

/**
 * The same while the capital leads, by what the regions have told since.
 *
 * @throws HistoriesDiffer: what is given a number here is another message there, and nothing more may be written
 */
export function assertNotOlderNow({ regions, sequence }: CapitalState, chain: NationalChain): void {
  const heard = [...regions.values()].filter(({ keyChanges }) => !isRevoked(keyChanges));
  const claims = heard.flatMap((region) => claimOf(region, capitalEpoch) ?? []);
  const further = furtherThan(claims, regions.size, sequence, chain);
  if (further !== undefined) throw olderThan(further, sequence);
}

/** Says who has more, and both ways out: once the capital has gone on, its regions' history is no longer its own. */
function olderThan({ regions, last }: Further, committed: number): HistoriesDiffer {
  const who = regions.join(", ");
  return new HistoriesDiffer(
    `${who} ${regions.length === 1 ? "has" : "have"} NATIONAL up to message ${last}, PostgreSQL and the hub end at ${committed}`,
    `if most regions are that far, ${newerCopy}; otherwise, and where it finds that they have something else, ` +
      regions.map((region) => `\`npx qalqan rebuild region ${region}\``).join(", "),
  );
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

async function lastHeld(connection: NatsConnection, revoked: ReadonlySet<string>): Promise<Heard> {
  const found = new Map<string, { readonly claim: Claim; readonly epoch: number; readonly atMs: number }>();
  const regions = new Set<string>();
  const manager = await connection.jetstreamManager({ checkAPI: false });
  for await (const name of manager.streams.names()) {
    const of = archivedAs(name, capital);
    if (of === undefined || of.site === capital || of.stream !== "events") continue;
    const { site: region, epoch } = of;
    if (revoked.has(region)) continue;
    regions.add(region);
    if (epoch < (found.get(region)?.epoch ?? 0)) continue;
    const subject = hubSubject.up("events", region, epoch, "replication.heartbeat");
    const last = await lastOfSubject(connection, streamAsk.get(name), subject);
    const body = last === undefined ? undefined : bodyOf(last.data);
    if (body?.$case !== "heartbeat") continue;
    const claim = claimOf({ ...body.value, region }, capitalEpoch);
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
