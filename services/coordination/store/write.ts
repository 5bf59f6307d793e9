import { sql, type Transaction } from "#platform/database.ts";
import { transact, type CommitsNow } from "#platform/transaction.ts";
import { Approval, BatchRevocation, Directive, Receipt } from "#proto/qalqan/events/v1/events.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import { trunkOfTarget, type Changes } from "../domain/changes.ts";
import type { NewDecision } from "../domain/refold.ts";
import type { Database } from "./load.ts";
import { writeEnforced } from "./enforcement.ts";
import { writeNationalSeal } from "./seals.ts";
import { writeStatistics } from "./statistics.ts";
import { writeIntelligence } from "./intelligence.ts";
import type { AuditChain } from "./audit.ts";
import { replacedOr, type Lead } from "./lead.ts";

/** Sends all that it has in one turn. */
type Part = (transaction: Transaction<unknown>, changes: Changes) => Promise<unknown>;

/**
 * Writes one step of the leader: watermarks, what came up, what was made of it,
 * and the exact bytes that go down. All of it or nothing, and in one round trip:
 * no part waits for an answer, and what must not be written fails in PostgreSQL.
 *
 * @throws LeaderReplaced when a watermark or the national sequence is not where we left it, or the lead is lost
 */
export async function writeChanges(
  database: Database,
  changes: Changes,
  audit: AuditChain,
  lead: Lead,
): Promise<void> {
  const work = async (transaction: Transaction<unknown>, commitsNow: CommitsNow) => {
    const writing = Promise.all([
      // First, so that a replaced leader writes nothing.
      lead.assertHeld(transaction),
      // Nothing was promised or goes down: after a crash the same messages are taken in again.
      goesDown(changes) ? undefined : sql`set local synchronous_commit = off`.execute(transaction),
      moveLanes(transaction, changes),
      ...parts.map((part) => part(transaction, changes)),
      audit.append(transaction, changes.audit, changes.nowMs),
      appendNational(transaction, changes),
    ]);
    commitsNow();
    await writing;
  };
  await replacedOr(transact(database, work, "once"));
  audit.committed();
}

/** Whether somebody hears of this step: then it must be on the disk before. */
function goesDown({ batch, regionMessages, audit }: Changes): boolean {
  return batch !== undefined || regionMessages.length > 0 || audit.length > 0;
}

async function moveLanes(transaction: Transaction<unknown>, { lanes, nowMs }: Changes): Promise<void> {
  if (lanes.length === 0) return;
  await sql`
    with moved as (
      update inbox set sequence = given.target, leaf = given.leaf, moved_at_ms = ${nowMs},
        read_to = case when read_to > given.target then read_to else 0 end
      from unnest(
        ${lanes.map(({ region }) => region)}::text[],
        ${lanes.map(({ lane }) => lane)}::text[],
        ${lanes.map(({ epoch }) => epoch)}::integer[],
        ${lanes.map(({ from }) => from)}::bigint[],
        ${lanes.map(({ to }) => to)}::bigint[],
        ${lanes.map(({ leaf }) => Buffer.from(leaf))}::bytea[]
      ) given (region, lane, epoch, origin, target, leaf)
      where inbox.region = given.region and inbox.lane = given.lane and inbox.epoch = given.epoch
        and inbox.sequence = given.origin
      returning 1
    )
    select must((select count(*) from moved) = ${lanes.length}, 'a lane does not stand where we left it')
  `.execute(transaction);
}

async function writeMarks(transaction: Transaction<unknown>, { lanes }: Changes): Promise<void> {
  const marks = lanes.filter(({ isMark }) => isMark);
  if (marks.length === 0) return;
  await sql`
    insert into lane_mark (region, lane, epoch, sequence, leaf)
    select * from unnest(
      ${marks.map(({ region }) => region)}::text[],
      ${marks.map(({ lane }) => lane)}::text[],
      ${marks.map(({ epoch }) => epoch)}::integer[],
      ${marks.map(({ to }) => to)}::bigint[],
      ${marks.map(({ leaf }) => Buffer.from(leaf))}::bytea[]
    )
    on conflict (region, lane, epoch, sequence) do update set leaf = excluded.leaf
  `.execute(transaction);
}

async function appendNational(transaction: Transaction<unknown>, { batch }: Changes): Promise<void> {
  if (batch === undefined) return;
  const { sequence, atMs, digest, bytes } = batch;
  await sql`
    with moved as (
      update national_state set sequence = ${sequence}, digest = ${Buffer.from(digest)}
      where sequence = ${sequence - 1} returning epoch, sequence
    ), logged as (
      insert into national_log (epoch, sequence, at_ms, digest, bytes)
      select epoch, sequence, ${atMs}, ${Buffer.from(digest)}, ${Buffer.from(bytes)} from moved
      returning 1
    )
    select must((select count(*) from logged) = 1, ${`NATIONAL is not at ${sequence - 1} any more`})
  `.execute(transaction);
}

/** What never comes any more of epochs before the one that was opened is not waited for, by a later leader neither. */
async function writeOpenings(transaction: Transaction<unknown>, { lanes }: Changes): Promise<void> {
  const writing = lanes.flatMap(({ region, lane, opened }) => {
    if (opened === undefined) return [];
    const { previousEpoch, hubLast } = opened;
    return sql`
      update inbox set read_to = ${hubLast}
      where region = ${region} and lane = ${lane} and epoch = ${previousEpoch} and read_to > ${hubLast}
    `.execute(transaction);
  });
  await Promise.all(writing);
}

const parts: readonly Part[] = [
  writeMarks,
  writeOpenings,
  writeDirectives,
  writeApprovals,
  writeBatches,
  writeTrunks,
  writeProtectedNumbers,
  writeStop,
  writeMemories,
  writeDecisions,
  writeJobs,
  writeRegionMessages,
  writeEnforced,
  writeReplicas,
  writeStates,
  writeIntelligence,
  writeStatistics,
  writeNationalSeal,
];

/** The bodies go as one value and are cut apart there: as an array each would be written out in hexadecimal. */
async function writeDirectives(transaction: Transaction<unknown>, { directives }: Changes): Promise<void> {
  if (directives.length === 0) return;
  const bodies = directives.map((directive) => Directive.encode(directive).finish());
  let end = 0;
  const starts = bodies.map(({ length }) => (end += length) - length + 1);
  await sql`
    insert into opinion (directive, region, revision, revoked, scope, target, trunk, batch,
                         accepted_at_ms, expires_at_ms, body)
    select directive, region, revision, revoked, scope, target, trunk, batch, accepted, expires,
           substring(${Buffer.concat(bodies)}::bytea from start for size)
    from unnest(
      ${directives.map(({ id }) => id)}::text[],
      ${directives.map(({ id }) => regionOfId(id))}::text[],
      ${directives.map(({ revision }) => revision)}::bigint[],
      ${directives.map(({ revoked }) => revoked)}::boolean[],
      ${directives.map(({ scope }) => (scope === "region" ? scope : "nation"))}::text[],
      ${directives.map(({ target }) => target)}::text[],
      ${directives.map(({ target }) => trunkOfTarget(target) ?? null)}::text[],
      ${directives.map(({ batch }) => batch)}::text[],
      ${directives.map(({ acceptedAtMs }) => acceptedAtMs)}::bigint[],
      ${directives.map(({ expiresAtMs }) => expiresAtMs)}::bigint[],
      ${starts}::integer[],
      ${bodies.map(({ length }) => length)}::integer[]
    ) given (directive, region, revision, revoked, scope, target, trunk, batch, accepted, expires, start, size)
    on conflict (directive) do update set
      revision = excluded.revision, revoked = excluded.revoked, scope = excluded.scope,
      accepted_at_ms = excluded.accepted_at_ms, expires_at_ms = excluded.expires_at_ms, body = excluded.body
  `.execute(transaction);
}

async function writeApprovals(transaction: Transaction<unknown>, { approvals }: Changes): Promise<void> {
  if (approvals.length === 0) return;
  await sql`
    insert into approval (directive, revision, batch, person, region, kind, approved, body)
    select * from unnest(
      ${approvals.map(({ directive }) => directive)}::text[],
      ${approvals.map(({ revision }) => revision)}::bigint[],
      ${approvals.map(({ batch }) => batch)}::text[],
      ${approvals.map(({ person }) => person)}::text[],
      ${approvals.map(({ region }) => region)}::text[],
      ${approvals.map(({ kind }) => kind)}::text[],
      ${approvals.map(({ approved }) => approved)}::boolean[],
      ${approvals.map((approval) => Buffer.from(Approval.encode(approval).finish()))}::bytea[]
    ) on conflict do nothing
  `.execute(transaction);
}

/** Remembers revocations, and the last message of NATIONAL that decided on a member of each batch. */
async function writeBatches(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const { batchRevocations, decisions, batch } = changes;
  const writing: Promise<unknown>[] = [];
  if (batchRevocations.length > 0) {
    const revoked = sql`
      insert into batch (batch, region, last_sequence, last_directive, last_revision, revocation)
      select id, region, 0, '', 0, body from unnest(
        ${batchRevocations.map((revocation) => revocation.batch)}::text[],
        ${batchRevocations.map((revocation) => regionOfId(revocation.batch))}::text[],
        ${batchRevocations.map((revocation) => Buffer.from(BatchRevocation.encode(revocation).finish()))}::bytea[]
      ) revoked (id, region, body)
      on conflict (batch) do update set revocation = coalesce(batch.revocation, excluded.revocation)
    `;
    writing.push(revoked.execute(transaction));
  }
  const last = new Map<string, NewDecision>();
  for (const decision of decisions) {
    const known = last.get(decision.batch);
    if (decision.batch !== "" && (known === undefined || known.directive < decision.directive)) {
      last.set(decision.batch, decision);
    }
  }
  if (last.size > 0 && batch !== undefined) {
    const decided = sql`
      insert into batch (batch, region, last_sequence, last_directive, last_revision)
      select id, region, ${batch.sequence}, directive, revision from unnest(
        ${[...last.keys()]}::text[],
        ${[...last.keys()].map(regionOfId)}::text[],
        ${[...last.values()].map(({ directive }) => directive)}::text[],
        ${[...last.values()].map(({ revision }) => revision)}::bigint[]
      ) decided (id, region, directive, revision)
      on conflict (batch) do update set last_sequence = excluded.last_sequence,
        last_directive = excluded.last_directive, last_revision = excluded.last_revision
    `;
    writing.push(decided.execute(transaction));
  }
  await Promise.all(writing);
}

async function writeTrunks(transaction: Transaction<unknown>, { trunks }: Changes): Promise<void> {
  if (trunks.length === 0) return;
  await sql`
    insert into trunk (trunk, region, revision, direction)
    select * from unnest(
      ${trunks.map(({ trunk }) => trunk)}::text[],
      ${trunks.map(({ region }) => region)}::text[],
      ${trunks.map(({ revision }) => revision)}::bigint[],
      ${trunks.map(({ direction }) => direction)}::text[]
    )
    on conflict (trunk, region) do update set revision = excluded.revision, direction = excluded.direction
  `.execute(transaction);
}

async function writeProtectedNumbers(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const writing: Promise<unknown>[] = changes.protectedNumbers.map(
    ({ number, originatesFrom, holder, revision }) =>
      sql`
        insert into protected_number (number, originates_from, holder, revision)
        values (${number}, ${originatesFrom}::text[], ${holder}, ${revision})
        on conflict (number) do update set
          originates_from = excluded.originates_from, holder = excluded.holder, revision = excluded.revision
      `.execute(transaction),
  );
  if (changes.unprotectedNumbers.length > 0) {
    const ended = sql`delete from protected_number where number = any(${changes.unprotectedNumbers}::text[])`;
    writing.push(ended.execute(transaction));
  }
  await Promise.all(writing);
}

async function writeStop(transaction: Transaction<unknown>, { stop }: Changes): Promise<void> {
  if (stop === undefined) return;
  await sql`
    insert into national_stop (stopped, person, at_ms, revision)
    values (${stop.stopped}, ${stop.person}, ${stop.atMs}, ${stop.revision})
    on conflict (single) do update set
      stopped = excluded.stopped, person = excluded.person, at_ms = excluded.at_ms, revision = excluded.revision
  `.execute(transaction);
}

async function writeMemories(transaction: Transaction<unknown>, { memories }: Changes): Promise<void> {
  if (memories.size === 0) return;
  await sql`
    insert into folded (target, memory)
    select key, value from json_each(${JSON.stringify(Object.fromEntries(memories))}::json)
    on conflict (target) do update set memory = excluded.memory
  `.execute(transaction);
}

async function writeDecisions(
  transaction: Transaction<unknown>,
  { decisions, batch }: Changes,
): Promise<void> {
  if (decisions.length === 0 || batch === undefined) return;
  await sql`
    insert into decision (directive, region, revision, decision, reason, missing, single, sequence, at_ms)
    select given.directive, given.region, given.revision, given.decision, given.reason, given.missing,
      given.single, ${batch.sequence}, ${batch.atMs} from unnest(
      ${decisions.map(({ directive }) => directive)}::text[],
      ${decisions.map(({ region }) => region)}::text[],
      ${decisions.map(({ revision }) => revision)}::bigint[],
      ${decisions.map(({ decision }) => decision)}::text[],
      ${decisions.map(({ reason }) => reason)}::text[],
      ${decisions.map(({ missing }) => missing.join(","))}::text[],
      ${decisions.map((decision) => decision.batch === "")}::boolean[]
    ) given (directive, region, revision, decision, reason, missing, single)
    on conflict (directive) do update set
      revision = excluded.revision, decision = excluded.decision, reason = excluded.reason,
      missing = excluded.missing, sequence = excluded.sequence, at_ms = excluded.at_ms
  `.execute(transaction);
}

/** What was worked off goes first: a job that begins anew in the same step begins at its start. */
async function writeJobs(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const { finishedJobs, advancedJob, newJobs, expiry } = changes;
  const writing: Promise<unknown>[] = [];
  if (finishedJobs.length > 0) {
    const finished = sql`
      delete from refold_job using unnest(
        ${finishedJobs.map(({ kind }) => kind)}::text[], ${finishedJobs.map(({ key }) => key)}::text[]
      ) done (kind, key) where refold_job.kind = done.kind and refold_job.key = done.key
    `;
    writing.push(finished.execute(transaction));
  }
  if (advancedJob !== undefined) {
    const { kind, key, cursor } = advancedJob;
    const advanced = sql`update refold_job set cursor = ${cursor} where kind = ${kind} and key = ${key}`;
    writing.push(advanced.execute(transaction));
  }
  if (newJobs.length > 0) {
    const begun = sql`
      insert into refold_job (kind, key, urgent, cursor)
      select kind, key, bool_or(urgent), '' from unnest(
        ${newJobs.map(({ kind }) => kind)}::text[],
        ${newJobs.map(({ key }) => key)}::text[],
        ${newJobs.map(({ urgent }) => urgent)}::boolean[]
      ) with ordinality as job (kind, key, urgent, place)
      group by kind, key order by min(place)
      on conflict (kind, key) do update set cursor = '', urgent = refold_job.urgent or excluded.urgent
    `;
    writing.push(begun.execute(transaction));
  }
  if (expiry !== undefined) {
    const passed = sql`update national_state set expiry_ms = ${expiry.ms}, expiry_directive = ${expiry.directive}`;
    writing.push(passed.execute(transaction));
  }
  await Promise.all(writing);
}

async function writeRegionMessages(transaction: Transaction<unknown>, changes: Changes): Promise<void> {
  const append = async ({ region, sequence, bytes }: (typeof changes.regionMessages)[number]) => {
    await sql`
      with moved as (
        update region_state set for_sequence = ${sequence}
        where region = ${region} and for_sequence = ${sequence - 1} returning region, for_sequence
      ), logged as (
        insert into region_log (region, epoch, sequence, bytes)
        select region, (select epoch from national_state), for_sequence, ${Buffer.from(bytes)} from moved
        returning 1
      )
      select must((select count(*) from logged) = 1, ${`FOR_${region} is not at ${sequence - 1} any more`})
    `.execute(transaction);
  };
  await Promise.all(changes.regionMessages.map(append));
}

async function writeReplicas(transaction: Transaction<unknown>, { replicas }: Changes): Promise<void> {
  if (replicas.length === 0) return;
  await sql`
    insert into replica (region, replica, heard_at_ms, receipt) select * from unnest(
      ${replicas.map(({ region }) => region)}::text[],
      ${replicas.map(({ receipt }) => receipt.replica)}::text[],
      ${replicas.map(({ heardAtMs }) => heardAtMs)}::bigint[],
      ${replicas.map(({ receipt }) => Buffer.from(Receipt.encode({ ...receipt, applied: [] }).finish()))}::bytea[]
    )
    on conflict (region, replica) do update set heard_at_ms = excluded.heard_at_ms, receipt = excluded.receipt
  `.execute(transaction);
}

async function writeStates(transaction: Transaction<unknown>, { states }: Changes): Promise<void> {
  if (states.length === 0) return;
  await sql`
    update region_state set state = given.state, since_ms = given.since_ms from unnest(
      ${states.map(({ region }) => region)}::text[],
      ${states.map(({ state }) => state)}::text[],
      ${states.map(({ sinceMs }) => sinceMs)}::bigint[]
    ) given (region, state, since_ms) where region_state.region = given.region
  `.execute(transaction);
}
