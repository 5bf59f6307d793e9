import type { Entry } from "./national-rows.ts";
import type { Decision, Opinion } from "./opinion.ts";
import { compareAge, compareText } from "./opinion.ts";
import { requirement } from "./powers.ts";
import type { Standing, StandingContext } from "./standing.ts";
import { standingOf } from "./standing.ts";
import type { Action, Slot } from "./vocabulary.ts";
import { actions, compareStrictness, isProsecutor, regionOfId, slotOf, slots } from "./vocabulary.ts";

/**
 * What the fold of a target has to remember, since it cannot be read from the
 * opinions: the caller keeps it (plain JSON) in the transaction that also keeps
 * the bytes appended to NATIONAL, and gives it back with the next fold.
 */
export interface FoldMemory {
  /** Sequence in NATIONAL at which the target last moved; 0: never. */
  revision: number;
  entries: Partial<Record<Slot, Entry>>;
  /** Per slot, the opinions (`<id>#<revision>`) that counted at the last fold. */
  counting: Partial<Record<Slot, string[]>>;
  /** Opinions that stood behind `revision`: those that counted, and those that an observe held back. */
  behind: string[];
  /** Opinions (`<id>#<revision>`) that an override ended; a later revision of them counts again. */
  overridden: string[];
  /** Overrides that were settled once and for all, by `<id>@<revision they named>`. */
  overrides: Record<string, "overrode" | "conflict">;
}

/** The memory of a target that was never folded. */
export const emptyMemory: FoldMemory = {
  revision: 0,
  entries: {},
  counting: {},
  behind: [],
  overridden: [],
  overrides: {},
};

export interface FoldContext extends StandingContext {
  memory: FoldMemory;
  /** Sequence in NATIONAL that the batch with the outcome will have. */
  nextSequence: number;
}

export interface FoldOutcome {
  /** What the target has from now on; those that did not move keep their revision. */
  entries: Partial<Record<Slot, Entry>>;
  /** Slots whose entry the batch has to carry. */
  changed: Slot[];
  /** Slots whose entry ends. */
  removed: Slot[];
  /**
   * What is true of every national opinion now, by id. Those of scope `region` are never folded; one is
   * named only where its region cannot know alone: an approval may come from another region.
   */
  decisions: Decision[];
  memory: FoldMemory;
  /** The earliest end that changes the outcome; undefined: none. */
  nextChangeAtMs: number | undefined;
}

interface Judged {
  opinion: Opinion;
  standing: Standing;
}

/**
 * The fold of a target (architecture: "The fold of a target"): a pure function
 * of the opinions on it and of what earlier folds settled. Order and repetition
 * of the opinions do not matter; folding the outcome again changes nothing.
 *
 * @param opinions all that is known about the target, of all regions, in any order. Of several
 *   revisions the highest counts, and a revocation for ever.
 * @throws Error when an opinion is about another target
 */
export function fold(target: string, opinions: readonly Opinion[], context: FoldContext): FoldOutcome {
  const all = latestRevisions(target, opinions).map((opinion) => ({
    opinion,
    standing: standingOf(opinion, context),
  }));
  const judged = all.filter(({ opinion }) => opinion.scope !== "region");
  const said = all.filter((each) => each.opinion.scope !== "region" || isNewsAtHome(each, context));
  // What is changed below is replaced, never written into: one level is enough, at a tenth of a deep copy's cost.
  const { counting: countingBefore, overrides } = context.memory;
  const memory = { ...context.memory, counting: { ...countingBefore }, overrides: { ...overrides } };
  settleOverrides(judged, memory);
  holdBackObserved(judged);
  const counting = judged.filter(counts).map((each) => each.opinion);

  const entries: FoldOutcome["entries"] = {};
  const changed: Slot[] = [];
  const removed: Slot[] = [];
  for (const slot of slots) {
    const inSlot = counting.filter((opinion) => slotOfOpinion(opinion) === slot);
    const previous = context.memory.entries[slot];
    const keys = inSlot.map(opinionKey);
    const entry = entryOf(target, slot, inSlot, previous?.revision ?? 0, context);
    if (entry === undefined) {
      if (previous !== undefined) {
        removed.push(slot);
      }
      delete memory.counting[slot];
      continue;
    }
    // Of an entry that was taken back from NATIONAL nobody remembers what counted.
    const counted = context.memory.counting[slot] ?? keys;
    const same = sameEntry(entry, previous) && sameKeys(keys, counted);
    if (!same) {
      entry.revision = context.nextSequence;
      changed.push(slot);
    }
    entries[slot] = entry;
    memory.counting[slot] = keys;
  }

  memory.entries = entries;
  const hasMoved = changed.length > 0 || removed.length > 0;
  if (hasMoved) memory.revision = context.nextSequence;
  if (hasMoved || isTakenBack(context.memory)) {
    memory.behind = judged
      .filter((each) => counts(each) || isObserved(each))
      .map((each) => opinionKey(each.opinion));
  }
  return {
    entries,
    changed,
    removed,
    decisions: said.map(decisionOf),
    memory,
    nextChangeAtMs: nextChange(said),
  };
}

/** A memory that was made of a row of NATIONAL has entries, and not what they were folded of. */
export function isTakenBack({ entries, counting }: FoldMemory): boolean {
  return slots.some((slot) => entries[slot] !== undefined && counting[slot] === undefined);
}

/** Whether the capital has anything to say of an opinion of scope `region`: powers, approvals, protection. */
function isNewsAtHome({ opinion, standing }: Judged, context: FoldContext): boolean {
  return standing.reason === "protected" || requirement(opinion, context).kind !== "alone";
}

/** One opinion per directive, by id. A revoked revision beats every other: it never comes alive again. */
function latestRevisions(target: string, opinions: readonly Opinion[]): Opinion[] {
  const latest = new Map<string, Opinion>();
  for (const opinion of opinions) {
    if (opinion.target !== target) {
      throw new Error(`fold of one target was given directive ${opinion.id} of another`);
    }
    const known = latest.get(opinion.id);
    if (known === undefined || supersedes(opinion, known)) {
      latest.set(opinion.id, opinion);
    }
  }
  return [...latest.values()].toSorted((left, right) => compareText(left.id, right.id));
}

function supersedes(opinion: Opinion, known: Opinion): boolean {
  if (opinion.revoked !== known.revoked) {
    return opinion.revoked;
  }
  if (opinion.revision !== known.revision) {
    return opinion.revision > known.revision;
  }
  // One revision with two contents is a fork; until it is mended, all must choose alike.
  return compareText(JSON.stringify(opinion), JSON.stringify(known)) > 0;
}

/**
 * Takes out what was overridden before, settles the overrides that nothing else
 * stands in the way of, and takes out what those end. Of two that name the same
 * revision the older one wins: the other has not seen what it made.
 */
function settleOverrides(judged: Judged[], memory: FoldMemory): void {
  const revisions = [
    memory.revision,
    Math.max(0, ...slots.map((slot) => memory.entries[slot]?.revision ?? 0)),
  ];
  const wasOverridden = new Set(memory.overridden);
  const overridden = (each: Judged) => wasOverridden.has(opinionKey(each.opinion));
  rejectLive(judged.filter(overridden), "overridden");

  const newOnes: Judged[] = [];
  for (const each of judged.filter(({ opinion }) => opinion.overrideRevision > 0)) {
    const settled = memory.overrides[overrideKey(each.opinion)];
    const current = revisions.includes(each.opinion.overrideRevision);
    if (settled === "conflict" || (settled === undefined && !current && isOpen(each.standing))) {
      settleConflict(each, memory);
    } else if (settled === undefined && counts(each)) {
      newOnes.push(each);
    }
  }
  const [winner, ...late] = newOnes.toSorted((left, right) => compareAge(left.opinion, right.opinion));
  late.forEach((each) => settleConflict(each, memory));
  if (winner === undefined) {
    return;
  }
  memory.overrides[overrideKey(winner.opinion)] = "overrode";
  const behind = new Set(memory.behind.filter((key) => key !== opinionKey(winner.opinion)));
  memory.overridden = [...new Set([...memory.overridden, ...behind])].toSorted(compareText);
  rejectLive(
    judged.filter((each) => behind.has(opinionKey(each.opinion))),
    "overridden",
  );
}

function settleConflict(each: Judged, memory: FoldMemory): void {
  memory.overrides[overrideKey(each.opinion)] = "conflict";
  rejectLive([each], "conflict");
}

/** A revoked or refused opinion stays what it is; one that has expired was rejected before. */
function rejectLive(judged: readonly Judged[], reason: string): void {
  for (const each of judged) {
    if (each.standing.decision !== "revoked" && each.standing.reason !== "refused") {
      each.standing = { decision: "rejected", reason, missing: [] };
    }
  }
}

/**
 * While an observe counts, blocks and diverts of other regions do not. Warnings
 * go on: somebody may be being robbed right now.
 */
function holdBackObserved(judged: Judged[]): void {
  const observers = judged.filter((each) => counts(each) && each.opinion.action === "observe");
  const observing = new Set(observers.map((each) => regionOfId(each.opinion.id)));
  for (const each of judged.filter(counts)) {
    const { id, action } = each.opinion;
    const elsewhere = [...observing].some((region) => region !== regionOfId(id));
    if (elsewhere && (action === "block" || action === "divert")) {
      each.standing = { decision: "held", reason: "observed", missing: [] };
    }
  }
}

function entryOf(
  target: string,
  slot: Slot,
  opinions: readonly Opinion[],
  revision: number,
  context: StandingContext,
): Entry | undefined {
  const action = strictestAction(slot, opinions);
  const supporters = opinions.filter((opinion) => opinion.action === action).toSorted(compareAge);
  const [oldest, second] = supporters;
  if (oldest === undefined) {
    return undefined;
  }
  return {
    target,
    slot,
    action: oldest.action,
    directive: oldest.id,
    reason: oldest.reason,
    expiresAtMs: Math.max(...supporters.map((opinion) => opinion.expiresAtMs)),
    soleSupport: second === undefined ? oldest.id : "",
    revision,
    authorRole: slot === "allow" ? authorityOf(oldest, supporters, context) : oldest.authorRole,
    falseStopOf: oldest.falseStopOf,
  };
}

/**
 * The role behind an allow: a prosecutor's, where one wrote any of its opinions or approved it as the second
 * person. By it the rule tells an explicit allow, which an older opinion of an operator must not take away.
 */
function authorityOf(oldest: Opinion, supporters: readonly Opinion[], context: StandingContext): string {
  const wrote = supporters.map((opinion) => opinion.authorRole).find(isProsecutor);
  const approved = supporters
    .flatMap(({ id, revision, batch }) => context.approvalsOf(id, revision, batch))
    .filter(({ approved: yes, kind, role }) => yes && kind === "second-person" && isProsecutor(role))
    .map(({ role }) => role)
    .toSorted(compareText)[0];
  return wrote ?? approved ?? oldest.authorRole;
}

function strictestAction(slot: Slot, opinions: readonly Opinion[]): Action | undefined {
  if (slot !== "measure") {
    return slot;
  }
  const measures = (["warn", "divert", "block"] as const).filter((action) =>
    opinions.some((opinion) => opinion.action === action),
  );
  return measures.toSorted((left, right) => compareStrictness(right, left))[0];
}

function slotOfOpinion(opinion: Opinion): Slot | undefined {
  const action = actions.find((each) => each === opinion.action);
  return action === undefined ? undefined : slotOf(action);
}

function sameEntry(entry: Entry, previous: Entry | undefined): boolean {
  return (
    previous !== undefined &&
    entry.action === previous.action &&
    entry.directive === previous.directive &&
    entry.reason === previous.reason &&
    entry.expiresAtMs === previous.expiresAtMs &&
    entry.soleSupport === previous.soleSupport &&
    entry.authorRole === previous.authorRole &&
    entry.falseStopOf === previous.falseStopOf
  );
}

function sameKeys(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((key, index) => key === right[index]);
}

function decisionOf({ opinion, standing }: Judged): Decision {
  return {
    region: regionOfId(opinion.id),
    directive: opinion.id,
    revision: opinion.revision,
    decision: standing.decision,
    reason: standing.reason,
    missing: standing.missing,
  };
}

/** Ends of opinions that could still count change at least their own decision. */
function nextChange(judged: readonly Judged[]): number | undefined {
  const ends = judged
    .filter((each) => isOpen(each.standing) || each.standing.reason === "protected")
    .map((each) => each.opinion.expiresAtMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

export const opinionKey = (opinion: Pick<Opinion, "id" | "revision">): string =>
  `${opinion.id}#${opinion.revision}`;
const overrideKey = (opinion: Opinion): string => `${opinion.id}@${opinion.overrideRevision}`;
const counts = (each: Judged): boolean => each.standing.decision === "accepted";
const isObserved = (each: Judged): boolean => each.standing.reason === "observed";
const isOpen = (standing: Standing): boolean =>
  standing.decision === "accepted" || standing.decision === "held";
