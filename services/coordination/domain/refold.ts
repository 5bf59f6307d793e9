import { emptyMemory, fold, isTakenBack, opinionKey, type FoldMemory } from "#domain/fold.ts";
import { entryRowKey, entryText, type Entry } from "#domain/national-rows.ts";
import type { Decision } from "#domain/opinion.ts";
import type { StandingContext } from "#domain/standing.ts";
import type { Slot } from "#domain/vocabulary.ts";
import type { Directive } from "#proto/qalqan/events/v1/events.ts";
import type { NationalBatchDraft } from "./national-batch.ts";

/** The decision on a directive that was published last. */
export interface PublishedDecision {
  readonly revision: number;
  readonly decision: string;
  readonly reason: string;
  readonly missing: readonly string[];
}

/** All that is known about the targets that are folded in one step. */
export interface Known {
  readonly opinions: ReadonlyMap<string, readonly Directive[]>;
  readonly memories: ReadonlyMap<string, FoldMemory>;
  readonly published: ReadonlyMap<string, PublishedDecision>;
}

/** A decision with what the row about it needs. */
export interface NewDecision extends Decision {
  readonly batch: string;
}

export interface Refolded {
  /** What the folds of the targets remember from now on, where that changed. */
  readonly memories: Map<string, FoldMemory>;
  readonly decisions: NewDecision[];
  /** Targets that found no room in this message, wholly or in part. */
  readonly left: string[];
}

/**
 * Folds targets into the next message of NATIONAL: the rows that change and the
 * decisions that are new, side by side, so that a region drops its overlay
 * entry in the step in which the national entry comes.
 */
export function refold(
  targets: Iterable<string>,
  known: Known,
  context: StandingContext,
  draft: NationalBatchDraft,
): Refolded {
  const refolded: Refolded = { memories: new Map(), decisions: [], left: [] };
  for (const target of targets) {
    const opinions = known.opinions.get(target) ?? [];
    const memory = known.memories.get(target) ?? emptyMemory;
    if (opinions.length === 0 && memory === emptyMemory) continue;
    if (!draft.hasRoom) {
      refolded.left.push(target);
      continue;
    }
    const remembered = withBehind(memory, opinions, known.published);
    const outcome = fold(target, opinions, { ...context, memory: remembered, nextSequence: draft.sequence });
    for (const slot of outcome.removed) removeRow(draft, target, slot, memory.entries[slot]);
    for (const slot of outcome.changed) putRow(draft, memory.entries[slot], outcome.entries[slot]);
    const hasMoved = outcome.changed.length + outcome.removed.length > 0;
    if (hasMoved || !sameMemory(memory, outcome.memory)) refolded.memories.set(target, outcome.memory);

    const byId = new Map(opinions.map((opinion) => [opinion.id, opinion]));
    const news = outcome.decisions.filter((decision) =>
      isNew(decision, byId.get(decision.directive), known.published.get(decision.directive)),
    );
    const fitting = news.slice(0, draft.decisionsLeft);
    for (const decision of fitting) {
      draft.addDecision(decision);
      refolded.decisions.push({ ...decision, batch: byId.get(decision.directive)?.batch ?? "" });
    }
    if (fitting.length < news.length) refolded.left.push(target);
  }
  return refolded;
}

/**
 * A memory that was taken back from NATIONAL does not know who stood behind its
 * revision, and an override that names this one would end nobody. The decisions
 * that were published beside the rows do: what came later has none yet.
 */
function withBehind(
  memory: FoldMemory,
  opinions: readonly Directive[],
  published: Known["published"],
): FoldMemory {
  if (!isTakenBack(memory)) return memory;
  const stood = opinions.filter(({ id, revision }) => {
    const said = published.get(id);
    return said?.revision === revision && (said.decision === "accepted" || said.reason === "observed");
  });
  return { ...memory, behind: stood.map(opinionKey) };
}

function removeRow(draft: NationalBatchDraft, target: string, slot: Slot, before: Entry | undefined): void {
  if (before === undefined) return;
  draft.addRow({ row: { $case: "removed", value: entryRowKey(slot, target) } }, entryText(before), undefined);
}

function putRow(draft: NationalBatchDraft, before: Entry | undefined, after: Entry | undefined): void {
  if (after === undefined) return;
  const textBefore = before === undefined ? undefined : entryText(before);
  draft.addRow({ row: { $case: "entry", value: after } }, textBefore, entryText(after));
}

/**
 * Whether a decision says anything new. What a region said itself of a member
 * of its batch (held, these approvals missing) is not repeated member by member.
 */
function isNew(
  decision: Decision,
  opinion: Directive | undefined,
  before: PublishedDecision | undefined,
): boolean {
  if (before !== undefined) {
    return (
      before.revision !== decision.revision ||
      before.decision !== decision.decision ||
      before.reason !== decision.reason ||
      !sameWords(before.missing, decision.missing)
    );
  }
  if (decision.decision !== "held" || decision.reason !== "approval") return true;
  return opinion === undefined || opinion.batch === "" || !sameWords(opinion.missing, decision.missing);
}

function sameWords(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((word) => right.includes(word));
}

function sameMemory(left: FoldMemory, right: FoldMemory): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
