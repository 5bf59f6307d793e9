import type { Opinion } from "#domain/opinion.ts";
import type { NationalStop, Receipt } from "#proto/qalqan/events/v1/events.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import { lanes } from "#proto/names.ts";
import { CapitalState, laneName } from "../../../services/coordination/domain/capital-state.ts";
import type { Changes } from "../../../services/coordination/domain/changes.ts";
import type { Known } from "../../../services/coordination/domain/refold.ts";
import { epochsMax } from "./epochs.ts";
import type { CapitalTables, Job, Mark } from "./tables.ts";

/** services/coordination/store/start.ts, loadState */
export function loadState(tables: CapitalTables, regions: readonly string[], nowMs: number): CapitalState {
  const state = new CapitalState();
  state.digests.add(0, new Uint8Array(32));
  tables.log.forEach(({ digest }, index) => state.digests.add(index + 1, digest));
  state.moved(tables.log.length, tables.log.at(-1)?.digest ?? new Uint8Array(32));
  state.heartbeat = state.sequence;
  state.introduced = tables.single.introduced;
  state.expiry = { ...tables.single.expiry };
  for (const { region, trunk, revision, direction } of tables.trunks.values()) {
    state.trunks.set(region, trunk, revision, direction);
  }
  for (const [number, row] of tables.protectedNumbers) state.protectedNumbers.set(number, row);
  state.stop = tables.single.stop;
  for (const batch of tables.revokedBatches) state.revokedBatches.add(batch);
  for (const region of regions) {
    const knowledge = state.region(region, nowMs);
    knowledge.toldSequence = tables.told.get(region) ?? 0;
    state.forSequences.set(region, tables.regionLogs.get(region)?.length ?? 0);
  }
  for (const [lane, upTo] of tables.readTo) {
    const at = tables.inbox.get(lane) ?? 0;
    if (upTo > at) state.mustRead(lane, upTo, at);
  }
  for (const { region, receipt, heardAtMs } of tables.replicas.values()) {
    state.region(region, nowMs).book.apply(receipt, heardAtMs);
  }
  return state;
}

/** What a leader begins with. */
export function openState(tables: CapitalTables, regions: readonly string[], nowMs: number) {
  return {
    state: loadState(tables, regions, nowMs),
    watermarks: new Map(tables.inbox),
    marks: new Map(tables.marks),
  };
}

/** services/coordination/store/load.ts: opinions that are over and decided are left out. */
export function loadTargets(
  tables: CapitalTables,
  targets: readonly string[],
  ids: readonly string[],
  ofBatches: readonly string[],
) {
  const wanted = new Set(targets);
  const opinions: Opinion[] = [];
  const published: Map<string, NonNullable<ReturnType<Known["published"]["get"]>>> = new Map();
  for (const opinion of tables.opinions.values()) {
    const decision = tables.decisions.get(opinion.id);
    const isOver =
      decision?.revision === opinion.revision && ["revoked", "expired"].includes(decision.decision);
    if (!(wanted.has(opinion.target) && !isOver) && !ids.includes(opinion.id)) continue;
    opinions.push(opinion);
    if (decision !== undefined) published.set(opinion.id, decision);
  }
  const memories = new Map(
    targets.flatMap((target) => {
      const memory = tables.memories.get(target);
      return memory === undefined ? [] : [[target, memory] as const];
    }),
  );
  const known = new Set(opinions.map(({ id }) => id));
  const batches = new Set([...ofBatches, ...opinions.map(({ batch }) => batch)]);
  const approvals = tables.approvals.filter(
    ({ directive, batch }) =>
      known.has(directive) || ids.includes(directive) || (batch !== "" && batches.has(batch)),
  );
  return { opinions, published, memories, approvals };
}

/** Targets of a job (services/coordination/store/jobs.ts), of all its members at once. */
export function targetsOfJob(tables: CapitalTables, { kind, key }: Job): string[] {
  const targets = new Set<string>();
  for (const { target, batch } of tables.opinions.values()) {
    const isAbout = {
      batch: batch === key,
      trunk: target.endsWith(`@${key}`),
      number: target === key || target.startsWith(`${key}@`),
      target: target === key,
    }[kind];
    if (isAbout) targets.add(target);
  }
  return [...targets];
}

/** Targets of opinions that ended after the cursor and until now, and the cursor after them. */
export function expiredTargets(tables: CapitalTables, nowMs: number) {
  const { ms, directive } = tables.single.expiry;
  const ended = [...tables.opinions.values()]
    .filter(
      ({ id, expiresAtMs }) =>
        expiresAtMs <= nowMs && (expiresAtMs > ms || (expiresAtMs === ms && id > directive)),
    )
    .toSorted((left, right) => left.expiresAtMs - right.expiresAtMs || (left.id < right.id ? -1 : 1));
  const last = ended.at(-1);
  if (last === undefined) return undefined;
  return {
    targets: [...new Set(ended.map(({ target }) => target))],
    expiry: { ms: last.expiresAtMs, directive: last.id },
  };
}

/**
 * services/coordination/store/write.ts: watermarks, what came up, what was made
 * of it and the bytes that go down, all or nothing.
 *
 * @returns why this leader must end: another one has moved what it was moving; undefined: written
 */
export function writeChanges(tables: CapitalTables, changes: Changes): string | undefined {
  const objection = objectionTo(tables, changes);
  if (objection !== undefined) return objection;
  for (const { region, lane, epoch, to, leaf, opened } of changes.lanes) {
    const key = `${region} ${lane} ${epoch}`;
    tables.inbox.set(key, to);
    tables.marks.set(key, markedAfter(tables.marks.get(key) ?? [], { sequence: to, leaf }));
    if (to >= (tables.readTo.get(key) ?? Infinity)) tables.readTo.delete(key);
    if (opened === undefined) continue;
    const before = `${region} ${lane} ${opened.previousEpoch}`;
    if ((tables.readTo.get(before) ?? 0) > opened.hubLast) tables.readTo.set(before, opened.hubLast);
  }
  for (const directive of changes.directives) tables.opinions.set(directive.id, directive);
  tables.approvals.push(...changes.approvals);
  for (const { batch } of changes.batchRevocations) tables.revokedBatches.add(batch);
  for (const trunk of changes.trunks) tables.trunks.set(`${trunk.trunk} ${trunk.region}`, trunk);
  for (const row of changes.protectedNumbers) tables.protectedNumbers.set(row.number, row);
  for (const number of changes.unprotectedNumbers) tables.protectedNumbers.delete(number);
  for (const [target, memory] of changes.memories) tables.memories.set(target, memory);
  const { batch, single } = { batch: changes.batch, single: tables.single };
  for (const decision of changes.decisions) {
    const { directive, revision, decision: word, reason, missing } = decision;
    const sequence = batch?.sequence ?? 0;
    tables.decisions.set(directive, {
      revision,
      decision: word,
      reason,
      missing,
      region: regionOfId(directive),
      sequence,
    });
  }
  for (const { kind, key } of changes.finishedJobs) tables.jobs.delete(`${kind} ${key}`);
  for (const job of changes.newJobs) tables.jobs.set(`${job.kind} ${job.key}`, job);
  for (const { region, bytes } of changes.regionMessages) {
    tables.regionLogs.set(region, [...(tables.regionLogs.get(region) ?? []), bytes]);
  }
  for (const { region, sequence } of changes.told) tables.told.set(region, sequence);
  for (const { region, receipt, heardAtMs } of changes.replicas)
    setReplica(tables, region, receipt, heardAtMs);
  if (changes.introduced !== undefined) single.introduced = changes.introduced;
  if (changes.expiry !== undefined) single.expiry = changes.expiry;
  single.stop = stopAfter(changes.stop, single.stop);
  if (batch !== undefined) tables.log.push({ bytes: batch.bytes, digest: batch.digest, atMs: batch.atMs });
  return undefined;
}

/** So many messages apart what stood in a lane is remembered; and at its watermark always. */
const markEvery = 5;

function markedAfter(marks: readonly Mark[], newest: Mark): Mark[] {
  const [last, before] = [marks.at(-1), marks.at(-2)];
  const isFar = last !== undefined && last.sequence - (before?.sequence ?? 0) >= markEvery;
  return [...(isFar ? marks : marks.slice(0, -1)), newest];
}

function stopAfter(
  now: NationalStop | undefined,
  before: NationalStop | undefined,
): NationalStop | undefined {
  return now ?? before;
}

function setReplica(tables: CapitalTables, region: string, receipt: Receipt, heardAtMs: number): void {
  tables.replicas.set(`${region} ${receipt.replica}`, { region, receipt, heardAtMs });
}

function objectionTo(
  tables: CapitalTables,
  { lanes: moves, batch, regionMessages }: Changes,
): string | undefined {
  for (const { region, lane, epoch, from } of moves) {
    const at = tables.inbox.get(`${region} ${lane} ${epoch}`) ?? 0;
    if (at !== from) return `${lane} of ${region} is at ${at}, not at ${from}`;
  }
  if (batch !== undefined && batch.sequence !== tables.log.length + 1)
    return `NATIONAL is not at ${batch.sequence - 1}`;
  const seen = new Map<string, number>();
  for (const { region, sequence } of regionMessages) {
    const last = seen.get(region) ?? tables.regionLogs.get(region)?.length ?? 0;
    if (sequence !== last + 1) return `FOR of ${region} is not at ${sequence - 1}`;
    seen.set(region, sequence);
  }
  return undefined;
}

/** Epochs of a region that were used, and the next (services/coordination/region-epochs.ts). */
export function epochsToRead({ inbox, readTo }: CapitalTables, region: string): number[] {
  const isUsed = (epoch: number) =>
    lanes.some((lane) => {
      const name = laneName({ region, lane, epoch });
      return inbox.has(name) || readTo.has(name);
    });
  const used = Array.from({ length: epochsMax }, (_, index) => index + 1).filter(isUsed);
  return [...(used.length === 0 ? [1] : used), Math.max(1, ...used) + 1];
}

/** services/coordination/store/regions.ts */
export function waitForLanesNoMore({ readTo, inbox }: CapitalTables): void {
  for (const [lane, upTo] of readTo) readTo.set(lane, Math.min(upTo, inbox.get(lane) ?? 0));
}

/** Whether somebody hears of this step: then it must be on the disk before. */
export function goesDown({ batch, regionMessages, audit }: Changes): boolean {
  return batch !== undefined || regionMessages.length > 0 || audit.length > 0;
}
