import type { Approval, Opinion } from "#domain/opinion.ts";
import type { FoldContext } from "#domain/fold.ts";
import { emptyMemory } from "#domain/fold.ts";
import { dayMs } from "#domain/powers-table.ts";
import type { Person, Role } from "#domain/vocabulary.ts";

export const startMs = Date.UTC(2026, 0, 15, 9);
export const foreignNumber = "+442079460958";
export const kazakhNumber = "+77011234567";

/** Directions of the trunks of the sample; `odd-1` is known to nobody. */
export const trunkDirection = (trunk: string) =>
  trunk.startsWith("intl-") ? "international" : trunk.startsWith("dom-") ? "domestic" : undefined;

/** An id of a region, told apart by a number. */
export function idOf(region: string, index: number): string {
  return `${region}-${String(index).padStart(26, "0")}`;
}

/** A national block of one foreign number for a day by an operator of Astana: alone within his powers. */
export function opinionOf(change: Partial<Opinion> = {}): Opinion {
  const acceptedAtMs = change.acceptedAtMs ?? startMs;
  return {
    id: idOf("astana", 1),
    revision: 1,
    target: foreignNumber,
    action: "block",
    scope: "nation",
    basis: "communications-law-41-1",
    reason: "fraud",
    author: "person-1",
    authorRole: "operator",
    acceptedAtMs,
    expiresAtMs: acceptedAtMs + dayMs,
    termFromMs: acceptedAtMs,
    overrideRevision: 0,
    batch: "",
    evidence: [],
    revoked: false,
    revokedBy: "",
    missing: [],
    falseStopOf: "",
    beyondDailyTargets: false,
    ...change,
  };
}

/** A yes to revision 1 of the first directive of Astana, by another prosecutor of the region. */
export function approvalOf(change: Partial<Approval> = {}): Approval {
  return {
    directive: idOf("astana", 1),
    revision: 1,
    batch: "",
    person: "person-2",
    role: "regional-prosecutor",
    region: "astana",
    kind: "second-person",
    approved: true,
    atMs: startMs,
    complete: false,
    ...change,
  };
}

/** A fold at the start, with nothing remembered, nothing approved, nothing protected. */
export function foldContext(change: Partial<FoldContext> = {}): FoldContext {
  return {
    nowMs: startMs,
    nextSequence: 1,
    memory: emptyMemory,
    approvalsOf: () => [],
    isRevokedBatch: () => false,
    protectedTrunksOf: () => undefined,
    trunkDirection,
    ...change,
  };
}

export function personOf(id: string, role: Role, region: string): Person {
  return { id, role, region };
}
