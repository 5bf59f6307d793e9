import type { LaneMessage } from "./consumers/lanes.ts";
import { shareIntelligence } from "./domain/share-intelligence.ts";
import { laneName, type CapitalState } from "./domain/capital-state.ts";
import { isFarAhead } from "./domain/plausible.ts";
import { noChanges, type Changes } from "./domain/changes.ts";
import { acceptDirectives, acceptApprovals } from "./domain/accept.ts";
import { admit, emptyIntake, refuse, type Intake } from "./domain/intake.ts";
import { moveLane } from "./domain/lane-moves.ts";
import { NationalBatchDraft } from "./domain/national-batch.ts";
import { refold, type Known } from "./domain/refold.ts";
import { RegionBatchesDraft } from "./domain/region-batch.ts";
import { countAll } from "./domain/statistics.ts";
import { loadIntelligence } from "./store/intelligence.ts";
import type { Portion } from "./store/jobs.ts";
import { loadTargets, targetsOfDirectives, type Database } from "./store/load.ts";
import { loadFigures } from "./store/statistics.ts";

/** One step of the leader while it is put together: what it read, and everything that it will write. */
export interface StepDraft {
  readonly changes: Changes;
  readonly national: NationalBatchDraft;
  readonly regional: RegionBatchesDraft;
}

export function beginStep(state: CapitalState, nowMs: number): StepDraft {
  return {
    changes: noChanges(nowMs),
    national: new NationalBatchDraft(state.sequence + 1, state.digest),
    regional: new RegionBatchesDraft(),
  };
}

/**
 * Takes messages of the lanes, and a portion of targets to be folded again,
 * into a step: reads what it needs, decides, and adds what is to be written.
 * Only the leader writes, so what was read stays true until the step is
 * committed; when a step fails the process ends, and with it what `state`
 * learned here.
 */
export async function takeIn(
  step: StepDraft,
  messages: readonly LaneMessage[],
  portion: Portion | undefined,
  state: CapitalState,
  database: Database,
): Promise<Intake> {
  const { changes } = step;
  const intake = emptyIntake();
  for (const message of messages) {
    const { region, stream, epoch, sequence, heardAtMs } = message;
    const place = { region, stream, epoch, sequence, heardAtMs };
    const knowledge = state.region(region, changes.nowMs);
    const isRefused = knowledge.isRefusedAt(heardAtMs);
    const read = isRefused ? { ...message, event: undefined } : message;
    moveLane(changes.lanes, read, () => state.isMarkDue(laneName(message), changes.nowMs));
    if (isRefused) {
      refuse(intake, place, "key-revoked");
      continue;
    }
    admit(intake, message.event, place);
    knowledge.heardAtMs = Math.max(knowledge.heardAtMs, heardAtMs);
  }
  takeReceipts(intake, state, changes);
  for (const { region, epoch, streams, nationalSeal } of intake.reports)
    state.region(region, changes.nowMs).reported(epoch, streams, nationalSeal);
  for (const { region, opened } of intake.openings) {
    const { epoch, previousEpoch, why, common, hubLast, regionLast } = opened;
    const detail = JSON.stringify({ epoch, previousEpoch, why, common, hubLast, regionLast });
    changes.audit.push({ actor: `replication of ${region}`, role: "", region, what: "epoch-opened", detail });
  }
  for (const { region, said } of intake.alarms) state.region(region, changes.nowMs).alarmed(said);
  takeTrunks(intake, state, changes);
  takeBatchRevocations(intake, state, step);
  await foldTargets(step, intake, portion, state, database);
  if (intake.counters.length > 0) {
    const known = await loadFigures(database, intake.counters);
    changes.statistics = countAll(intake.counters, known.minutes, known.calls);
  }
  if (intake.intelligence.length > 0) {
    const ids = intake.intelligence.map(({ piece }) => piece.id);
    shareIntelligence(intake, await loadIntelligence(database, ids), state, step);
  }
  for (const { region, stream, reason, firstSequence, count } of intake.refused.values()) {
    const refused = { actor: `stream ${stream}`, region, what: "refused" };
    const detail = { stream, reason, firstSequence };
    state.refusals.note(`${stream} ${reason}`, { ...refused, detail }, count, changes.nowMs);
  }
  changes.audit.push(...state.refusals.due(changes.nowMs));
  return intake;
}

async function foldTargets(
  step: StepDraft,
  intake: Intake,
  portion: Portion | undefined,
  state: CapitalState,
  database: Database,
): Promise<void> {
  const { changes } = step;
  const approved = intake.approvals.map(({ directive }) => directive).filter((id) => id !== "");
  const fresh = new Set([
    ...intake.directives.map(({ target }) => target),
    ...(await targetsOfDirectives(database, approved)),
  ]);
  const again = (portion?.targets ?? []).filter((target) => !fresh.has(target));
  const targets = [...fresh, ...again];
  if (portion !== undefined) takePortion(portion, state, changes);
  if (targets.length === 0 && intake.approvals.length === 0) return;

  const ids = [...new Set([...intake.directives.map(({ id }) => id), ...approved])];
  // Of members too: their batch may have been approved before they came, by the other lane.
  const named = [...intake.approvals, ...intake.directives].map(({ batch }) => batch);
  const batches = [...new Set(named.filter((batch) => batch !== ""))];
  const loaded = await loadTargets(database, targets, ids, batches);
  const opinions = acceptDirectives(intake, loaded.opinions, changes);
  acceptApprovals(intake, loaded.approvals, changes);
  if (state.isReadingAgain) {
    for (const key of targets) changes.newJobs.push({ kind: "target", key, urgent: false });
    return;
  }
  const known: Known = { opinions, memories: loaded.memories, published: loaded.published };
  const context = state.foldContext(changes.nowMs, [...loaded.approvals, ...changes.approvals]);
  const refolded = refold(targets, known, context, step.national);
  changes.memories = refolded.memories;
  changes.decisions = refolded.decisions;
  for (const target of refolded.left) {
    changes.newJobs.push({ kind: "target", key: target, urgent: fresh.has(target) });
  }
}

function takePortion(portion: Portion, state: CapitalState, changes: Changes): void {
  changes.finishedJobs.push(...portion.finished);
  changes.advancedJob = portion.advanced;
  if (portion.expiry !== undefined) {
    changes.expiry = portion.expiry;
    state.expiry = portion.expiry;
  }
}

function takeReceipts(intake: Intake, state: CapitalState, changes: Changes): void {
  const latest = new Map<string, (typeof intake.receipts)[number]>();
  for (const each of intake.receipts) {
    state.region(each.region, changes.nowMs).book.apply(each.receipt, each.heardAtMs);
    latest.set(`${each.region} ${each.receipt.replica}`, each);
  }
  changes.replicas.push(...latest.values());
}

/** A trunk's new direction changes powers and protection on targets that name it, or every international trunk. */
function takeTrunks(intake: Intake, state: CapitalState, changes: Changes): void {
  const latest = new Map<string, (typeof changes.trunks)[number]>();
  for (const { region, trunk: set } of intake.trunks) {
    const { trunk, revision, direction } = set;
    if (isFarAhead(revision, state.trunks.revisionOf(region, trunk))) {
      refuse(intake, { region, stream: `of ${region}`, epoch: 0, sequence: 0, heardAtMs: 0 }, "far-ahead");
      continue;
    }
    if (!state.trunks.isNews(region, trunk, revision, direction)) continue;
    const before = state.trunks.directionOf(trunk);
    state.trunks.set(region, trunk, revision, direction);
    latest.set(`${region} ${trunk}`, { region, trunk, revision, direction });
    if (state.trunks.directionOf(trunk) === before) continue;
    for (const key of [trunk, "international"]) changes.newJobs.push({ kind: "trunk", key, urgent: true });
  }
  changes.trunks.push(...latest.values());
}

/** A revoked batch is remembered at once, so that members which arrive later never come alive. */
function takeBatchRevocations(intake: Intake, state: CapitalState, { changes, national }: StepDraft): void {
  for (const revocation of intake.batchRevocations) {
    const { batch, person, role, reason } = revocation;
    if (state.revokedBatches.has(batch)) continue;
    state.revokedBatches.add(batch);
    national.addRevokedBatch(batch);
    changes.batchRevocations.push(revocation);
    changes.newJobs.push({ kind: "batch", key: batch, urgent: true });
    const detail = JSON.stringify({ batch, reason });
    changes.audit.push({
      actor: person,
      role,
      region: batch.slice(0, batch.lastIndexOf("-")),
      what: "revoke-batch",
      detail,
    });
  }
}
