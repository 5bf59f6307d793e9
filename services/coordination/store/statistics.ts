import { sql, type Transaction } from "#platform/database.ts";
import type { Count, Counters } from "#proto/qalqan/events/v1/events.ts";
import type { Changes } from "../domain/changes.ts";
import { stretchesSince } from "../domain/grains.ts";
import {
  callKeyNumber,
  minuteKey,
  type CallDelta,
  type CountedCall,
  type MinuteState,
  type QuestionDelta,
} from "../domain/statistics.ts";
import type { Database } from "./load.ts";

/** A call's key is remembered so long after it was heard of. */
const callKeptMs = 24 * 3_600_000;
/** A source's minute is remembered so long after it last changed. */
const minuteKeptMs = 48 * 3_600_000;
/** Figures by the minute are kept so long; older ones by the hour and longer. */
const minuteFiguresKeptMinutes = 48 * 60;
const minuteMs = 60_000;

export interface KnownFigures {
  readonly minutes: Map<string, MinuteState>;
  readonly calls: Map<string, CountedCall>;
}

/** Reads what is kept about the minutes and calls that counters speak of. */
export async function loadFigures(database: Database, counters: readonly Counters[]): Promise<KnownFigures> {
  const minutes = counters.flatMap(({ region, source, minutes: given }) =>
    given.map(({ minute }) => ({ region, source, minute })),
  );
  const keys = counters.flatMap(({ calls }) => calls.map(({ key }) => callKeyNumber(key)));
  const [minuteRows, callRows] = await Promise.all([
    sql<Omit<MinuteState, "counts"> & { counts: Count[] }>`
      select m.region, m.source, m.minute, m.flush, m.counts from minute_counts m join unnest(
        ${minutes.map(({ region }) => region)}::text[],
        ${minutes.map(({ source }) => source)}::text[],
        ${minutes.map(({ minute }) => minute)}::bigint[]
      ) wanted (region, source, minute) using (region, source, minute)
    `.execute(database),
    sql<CountedCall>`
      select key::text as key, minute, verdict, reason, attributed_to as "attributedTo",
             first_of_pair as "firstOfPair", fallback
      from answered_call where key = any(${keys}::bigint[])
    `.execute(database),
  ]);
  return {
    minutes: new Map(minuteRows.rows.map((row) => [minuteKey(row.region, row.source, row.minute), row])),
    calls: new Map(callRows.rows.map((row) => [row.key, row])),
  };
}

/** Writes what a step changes in the figures. */
export async function writeStatistics(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const { statistics, nowMs } = changes;
  if (statistics === undefined) return;
  const { minutes, calls, callDeltas, questionDeltas } = statistics;
  await Promise.all([
    minutes.length > 0 ? writeMinutes(transaction, minutes, nowMs) : undefined,
    calls.length > 0 ? writeCalls(transaction, calls, nowMs) : undefined,
    callDeltas.length > 0 ? addCallDeltas(transaction, callDeltas) : undefined,
    questionDeltas.length > 0 ? addQuestionDeltas(transaction, questionDeltas) : undefined,
  ]);
}

async function writeMinutes(
  transaction: Transaction<unknown>,
  minutes: readonly MinuteState[],
  nowMs: number,
) {
  await sql`
    insert into minute_counts (region, source, minute, flush, counts, at_ms)
    select region, source, minute, flush, counts::json, ${nowMs} from unnest(
      ${minutes.map(({ region }) => region)}::text[],
      ${minutes.map(({ source }) => source)}::text[],
      ${minutes.map(({ minute }) => minute)}::bigint[],
      ${minutes.map(({ flush }) => flush)}::bigint[],
      ${minutes.map(({ counts }) => JSON.stringify(counts))}::text[]
    ) given (region, source, minute, flush, counts)
    on conflict (region, source, minute) do update set
      flush = excluded.flush, counts = excluded.counts, at_ms = excluded.at_ms
  `.execute(transaction);
}

async function writeCalls(transaction: Transaction<unknown>, calls: readonly CountedCall[], nowMs: number) {
  await sql`
    insert into answered_call (key, minute, verdict, reason, attributed_to, first_of_pair, fallback, at_ms)
    select given.*, ${nowMs} from unnest(
      ${calls.map(({ key }) => key)}::bigint[],
      ${calls.map(({ minute }) => minute)}::bigint[],
      ${calls.map(({ verdict }) => verdict)}::text[],
      ${calls.map(({ reason }) => reason)}::text[],
      ${calls.map(({ attributedTo }) => attributedTo)}::text[],
      ${calls.map(({ firstOfPair }) => firstOfPair)}::boolean[],
      ${calls.map(({ fallback }) => fallback)}::boolean[]
    ) given
    on conflict (key) do update set
      minute = excluded.minute, verdict = excluded.verdict, reason = excluded.reason,
      attributed_to = excluded.attributed_to, first_of_pair = excluded.first_of_pair, fallback = excluded.fallback
  `.execute(transaction);
}

async function addCallDeltas(transaction: Transaction<unknown>, deltas: readonly CallDelta[]) {
  await sql`
    insert into call_rollup (grain, start, region, verdict, calls, intercepted, forged, fallback)
    select * from unnest(
      ${deltas.map(({ grain }) => grain)}::text[],
      ${deltas.map(({ start }) => start)}::bigint[],
      ${deltas.map(({ region }) => region)}::text[],
      ${deltas.map(({ verdict }) => verdict)}::text[],
      ${deltas.map(({ calls }) => calls)}::bigint[],
      ${deltas.map(({ intercepted }) => intercepted)}::bigint[],
      ${deltas.map(({ forged }) => forged)}::bigint[],
      ${deltas.map(({ fallback }) => fallback)}::bigint[]
    )
    on conflict (grain, start, region, verdict) do update set
      calls = call_rollup.calls + excluded.calls,
      intercepted = call_rollup.intercepted + excluded.intercepted,
      forged = call_rollup.forged + excluded.forged,
      fallback = call_rollup.fallback + excluded.fallback
  `.execute(transaction);
}

async function addQuestionDeltas(transaction: Transaction<unknown>, deltas: readonly QuestionDelta[]) {
  await sql`
    insert into question_rollup (grain, start, region, questions, shadow_stopped)
    select * from unnest(
      ${deltas.map(({ grain }) => grain)}::text[],
      ${deltas.map(({ start }) => start)}::bigint[],
      ${deltas.map(({ region }) => region)}::text[],
      ${deltas.map(({ questions }) => questions)}::bigint[],
      ${deltas.map(({ shadowStopped }) => shadowStopped)}::bigint[]
    )
    on conflict (grain, start, region) do update set
      questions = question_rollup.questions + excluded.questions,
      shadow_stopped = question_rollup.shadow_stopped + excluded.shadow_stopped
  `.execute(transaction);
}

/** Forgets keys, minutes and figures by the minute that nothing needs any more. */
export async function trimFigures(database: Database, nowMs: number): Promise<void> {
  const firstMinute = Math.floor(nowMs / minuteMs) - minuteFiguresKeptMinutes;
  await sql`delete from answered_call where at_ms < ${nowMs - callKeptMs}`.execute(database);
  await sql`delete from minute_counts where at_ms < ${nowMs - minuteKeptMs}`.execute(database);
  await sql`delete from call_rollup where grain = 'minute' and start < ${firstMinute}`.execute(database);
  await sql`delete from question_rollup where grain = 'minute' and start < ${firstMinute}`.execute(database);
}

/** Sums by region and verdict. */
export interface CallFigures {
  readonly region: string;
  readonly verdict: string;
  readonly calls: number;
  readonly intercepted: number;
  readonly forged: number;
  readonly fallback: number;
}

export interface QuestionFigures {
  readonly questions: number;
  readonly shadowStopped: number;
}

/**
 * Figures since a time.
 *
 * @param region slug or `unattributed`; empty: the nation. Calls are those of the region of the called
 *   person, questions those that the region's switches asked.
 */
export async function readFigures(
  database: Database,
  region: string,
  sinceMs: number,
  nowMs: number,
): Promise<{ calls: CallFigures[]; questions: QuestionFigures }> {
  const minutesFrom = Math.floor(nowMs / minuteMs) - minuteFiguresKeptMinutes;
  const stretches = stretchesSince(Math.floor(sinceMs / minuteMs), minutesFrom);
  const stretch = sql`unnest(
    ${stretches.map(({ grain }) => grain)}::text[],
    ${stretches.map(({ from }) => from)}::bigint[],
    ${stretches.map(({ to }) => to)}::bigint[]
  ) stretch (grain, origin, target)`;
  const [calls, questions] = await Promise.all([
    sql<CallFigures>`
      select region, verdict, sum(calls)::bigint as calls, sum(intercepted)::bigint as intercepted,
             sum(forged)::bigint as forged, sum(fallback)::bigint as fallback
      from call_rollup r join ${stretch}
        on r.grain = stretch.grain and r.start >= stretch.origin and r.start < stretch.target
      where ${region} in ('', region)
      group by region, verdict order by region, verdict
    `.execute(database),
    sql<QuestionFigures>`
      select coalesce(sum(questions), 0)::bigint as questions,
             coalesce(sum(shadow_stopped), 0)::bigint as "shadowStopped"
      from question_rollup r join ${stretch}
        on r.grain = stretch.grain and r.start >= stretch.origin and r.start < stretch.target
      where ${region} in ('', region)
    `.execute(database),
  ]);
  return { calls: calls.rows, questions: questions.rows[0] ?? { questions: 0, shadowStopped: 0 } };
}
