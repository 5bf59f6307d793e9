import type { FoldMemory } from "#domain/fold.ts";
import { capital } from "#domain/vocabulary.ts";
import { sql } from "#platform/database.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, streamAsk } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { CapitalState } from "../domain/capital-state.ts";
import { recoveredChanges, targetsOf } from "../domain/recover.ts";
import { archivedAs } from "../archive/hub-stream-name.ts";
import { capitalEpoch } from "../epochs.ts";
import type { AuditChain } from "./audit.ts";
import { loadIntelligence } from "./intelligence.ts";
import type { Lead } from "./lead.ts";
import type { Database } from "./load.ts";
import { readNationalLog, readRegionLog } from "./start.ts";
import { writeChanges } from "./write.ts";

/** What helps where the hub or the regions have more than PostgreSQL. */
export const newerCopy =
  "run `npx qalqan restore` with a newer copy of the capital, or `npx qalqan rebuild capital`, which takes what regions have";

/**
 * PostgreSQL and the hub do not hold the same history of the capital, or each
 * lacks something that the other has not either: only a person can say what is
 * true. The capital must not write until then.
 */
export class HistoriesDiffer extends Error {
  override readonly name = "HistoriesDiffer";
  /** What a person can do. */
  readonly remedy: string;

  constructor(message: string, remedy = newerCopy) {
    super(message);
    this.remedy = remedy;
  }
}

/**
 * Takes messages of NATIONAL back that PostgreSQL does not know and the hub
 * has: PostgreSQL was restored from an older copy, and they are its own
 * history. Each is one transaction; a kill in between changes nothing.
 *
 * @param state as PostgreSQL has it; read it again afterwards
 * @returns how many messages were taken back
 * @throws HistoriesDiffer, LeaderReplaced, or that the hub does not answer
 */
export async function recoverNational(
  database: Database,
  connection: NatsConnection,
  state: CapitalState,
  audit: AuditChain,
  lead: Lead,
): Promise<number> {
  const lanes = await lanesAtHub(database, connection);
  const stream = hubStream.national(capitalEpoch);
  const there = await streamRange(connection, streamAsk.info(stream));
  const before = state.sequence;
  if (there.last <= before) return 0;
  if (there.first > before + 1)
    throw new HistoriesDiffer(
      `${stream} begins at ${there.first}, and PostgreSQL knows nothing after ${before}`,
    );
  await assertSame(connection, stream, before, await readNationalLog(database, before, 1));
  // Before the first row of the table is there whose opinions are not.
  await mustRead(database, lead, lanes);
  for (let next = before + 1; next <= there.last;) {
    const messages = await batchGet(connection, streamAsk.get(stream), next);
    if (messages[0]?.sequence !== next) throw new Error(`${stream} gave nothing from ${next} on`);
    for (const { sequence, data } of messages) {
      await takeBack({ database, state, audit, lead }, sequence, data);
      next = sequence + 1;
    }
  }
  const recovered = there.last - before;
  const detail = JSON.stringify({ stream, from: before + 1, to: there.last });
  await lead.write(database, async (transaction) => {
    const line = { actor: "coordination", role: "", region: "capital", what: "recovered", detail };
    await audit.append(transaction, [line], Date.now());
  });
  audit.committed();
  return recovered;
}

interface Into {
  readonly database: Database;
  readonly state: CapitalState;
  readonly audit: AuditChain;
  readonly lead: Lead;
}

async function takeBack(
  { database, state, audit, lead }: Into,
  sequence: number,
  data: Uint8Array,
): Promise<void> {
  const batch = decoded(sequence, data);
  const pieces = await loadIntelligence(
    database,
    batch.intelligenceWithdrawn.map(({ id }) => id),
  );
  const batches = await batchesOf(
    database,
    batch.decisions.map(({ directive }) => directive),
  );
  const changes = recoveredChanges(batch, data, {
    digest: state.digest,
    memories: await memoriesOf(database, targetsOf(batch)),
    batchOf: (directive) => batches.get(directive),
    protectedNumbers: state.protectedNumbers,
    stop: state.stop,
    audienceOf: (id) => pieces.get(id)?.audience,
  });
  if (changes === undefined)
    throw new HistoriesDiffer(`message ${sequence} of NATIONAL does not follow from what PostgreSQL has`);
  await writeChanges(database, changes, audit, lead);
  for (const row of changes.protectedNumbers) state.protectedNumbers.set(row.number, row);
  for (const number of changes.unprotectedNumbers) state.protectedNumbers.delete(number);
  state.stop = changes.stop ?? state.stop;
  state.moved(sequence, batch.digestAfter);
}

function decoded(sequence: number, data: Uint8Array): NationalBatch {
  try {
    const batch = NationalBatch.decode(data);
    if (batch.sequence === sequence) return batch;
  } catch {
    // Bytes that no coordination has written.
  }
  throw new HistoriesDiffer(`message ${sequence} of NATIONAL cannot be read as one of ours`);
}

/**
 * The same for FOR of a region; its messages are kept as they are, since what
 * they told is told again.
 *
 * @returns its last message that PostgreSQL has now
 * @throws HistoriesDiffer, LeaderReplaced, or that the hub does not answer
 */
export async function recoverForRegion(
  database: Database,
  connection: NatsConnection,
  lead: Lead,
  region: string,
  committed: number,
): Promise<number> {
  const stream = hubStream.forRegion(region, capitalEpoch);
  const there = await streamRange(connection, streamAsk.info(stream));
  if (there.last <= committed) return committed;
  // What comes before the hub's first message was needed by nobody any more.
  let next = Math.max(committed + 1, there.first);
  if (next === committed + 1)
    await assertSame(connection, stream, committed, await readRegionLog(database, region, committed, 1));
  while (next <= there.last) {
    const messages = await batchGet(connection, streamAsk.get(stream), next);
    if (messages[0]?.sequence !== next) throw new Error(`${stream} gave nothing from ${next} on`);
    await lead.write(database, async (transaction) => {
      for (const { sequence, data } of messages) {
        await sql`
          insert into region_log (region, epoch, sequence, bytes)
          values (${region}, ${capitalEpoch}, ${sequence}, ${Buffer.from(data)})`.execute(transaction);
        next = sequence + 1;
      }
      await sql`update region_state set for_sequence = ${next - 1} where region = ${region}`.execute(
        transaction,
      );
    });
  }
  return next - 1;
}

/** @throws HistoriesDiffer where the hub keeps another message there than PostgreSQL */
async function assertSame(
  connection: NatsConnection,
  stream: string,
  sequence: number,
  [ours]: readonly Uint8Array[],
): Promise<void> {
  if (sequence === 0) return;
  const [theirs] = await batchGet(connection, streamAsk.get(stream), sequence, 1);
  const isKept = theirs?.sequence === sequence;
  if (ours !== undefined && isKept && Buffer.compare(ours, theirs.data) === 0) return;
  throw new HistoriesDiffer(`${stream} holds something else at ${sequence} than PostgreSQL does`);
}

interface LaneAtHub {
  readonly site: string;
  readonly stream: string;
  readonly epoch: number;
  readonly last: number;
}

/**
 * The regions' lanes. They are read again from where PostgreSQL is: the hub must still have what comes next.
 *
 * @throws HistoriesDiffer where it has not
 */
async function lanesAtHub(database: Database, connection: NatsConnection): Promise<LaneAtHub[]> {
  const { rows } = await sql<{ region: string; lane: "urgent" | "events"; epoch: number; sequence: number }>`
    select region, lane, epoch, sequence from inbox`.execute(database);
  const manager = await connection.jetstreamManager({ checkAPI: false });
  const known = new Map(
    rows.map(({ region, lane, epoch, sequence }) => [hubStream.up(lane, region, epoch), sequence]),
  );
  const lanes: LaneAtHub[] = [];
  for await (const name of manager.streams.names()) {
    const of = archivedAs(name, capital);
    if (of === undefined || of.site === capital) continue;
    const { first, last } = await streamRange(connection, streamAsk.info(name));
    const sequence = known.get(name);
    if (sequence !== undefined && first > sequence + 1)
      throw new HistoriesDiffer(`${name} begins at ${first}, and PostgreSQL has read it up to ${sequence}`);
    if (last > 0) lanes.push({ ...of, last });
  }
  return lanes;
}

/** As far as the hub has them; whoever has filled it from the regions has noted how far these go. */
async function mustRead(database: Database, lead: Lead, lanes: readonly LaneAtHub[]): Promise<void> {
  const note = sql`
    insert into inbox (region, lane, epoch, sequence, moved_at_ms, read_to)
    select region, lane, epoch, 0, 0, last from unnest(
      ${lanes.map(({ site }) => site)}::text[],
      ${lanes.map(({ stream }) => stream)}::text[],
      ${lanes.map(({ epoch }) => epoch)}::integer[],
      ${lanes.map(({ last }) => last)}::bigint[]
    ) there (region, lane, epoch, last)
    on conflict (region, lane, epoch) do update set read_to = greatest(inbox.read_to, excluded.read_to)
  `;
  await lead.write(database, (transaction) => note.execute(transaction));
}

async function memoriesOf(database: Database, targets: readonly string[]): Promise<Map<string, FoldMemory>> {
  const { rows } = await sql<{ target: string; memory: FoldMemory }>`
    select target, memory from folded where target = any(${targets}::text[])`.execute(database);
  return new Map(rows.map(({ target, memory }) => [target, memory]));
}

async function batchesOf(database: Database, directives: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await sql<{ directive: string; batch: string }>`
    select directive, batch from opinion where directive = any(${directives}::text[])`.execute(database);
  return new Map(rows.map(({ directive, batch }) => [directive, batch]));
}
