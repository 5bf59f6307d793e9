import type { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";

const dayMs = 24 * 3_600_000;

/** An id of a region, told apart by a number. */
export function idOf(region: string, index: number): string {
  return `${region}-${String(index).padStart(26, "0")}`;
}

/** A foreign number, told apart by a number. */
export function numberOf(index: number): string {
  return `+4420${String(70_000_000 + index)}`;
}

/** A national block of one foreign number for a day by an operator: alone within his powers. */
export function directiveOf(region: string, index: number, change: Partial<Directive> = {}): Directive {
  const acceptedAtMs = change.acceptedAtMs ?? Date.now();
  return {
    id: idOf(region, index),
    revision: 1,
    target: numberOf(index),
    action: "block",
    scope: "nation",
    basis: "communications-law-41-1",
    reason: "fraud",
    author: `operator-1.${region}`,
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

/** The same directive, revoked by its author. */
export function revokedOf(directive: Directive): Directive {
  return { ...directive, revision: directive.revision + 1, revoked: true, revokedBy: directive.author };
}

/** A member of an import, waiting for a second person. */
export function memberOf(
  region: string,
  batch: string,
  index: number,
  change: Partial<Directive> = {},
): Directive {
  return directiveOf(region, index, { batch, action: "warn", missing: ["second-person"], ...change });
}

/** A regional prosecutor's yes to a batch, or to one directive. */
export function approvalOf(region: string, change: Partial<Approval>): Approval {
  return {
    directive: "",
    revision: 1,
    batch: "",
    person: `prosecutor-1.${region}`,
    role: "regional-prosecutor",
    region,
    kind: "second-person",
    approved: true,
    atMs: Date.now(),
    complete: true,
    ...change,
  };
}

export const directives = (...given: Directive[]) =>
  ({ $case: "directives", value: { directives: given } }) as const;
