import { regionOfId } from "#domain/vocabulary.ts";
import type { Approval, Directive } from "#proto/qalqan/events/v1/events.ts";
import type { Changes } from "./changes.ts";
import { refuse, type Intake, type RefusedReason } from "./intake.ts";
import { isFarAhead } from "./plausible.ts";

/**
 * Joins directives that came up with those that are known: of each the latest
 * revision stays, and a revocation for ever. Adds to the changes what is new.
 *
 * @returns the opinions on each target as they stand after this step
 */
export function acceptDirectives(
  intake: Intake,
  stored: readonly Directive[],
  changes: Changes,
): Map<string, Directive[]> {
  const latest = new Map(stored.map((directive) => [directive.id, directive]));
  const fresh = new Map<string, Directive>();
  for (const directive of intake.directives) {
    const known = latest.get(directive.id);
    const objection = objectionTo(directive, known);
    if (objection !== undefined) {
      const region = regionOfId(directive.id);
      refuse(intake, { region, stream: `of ${region}`, epoch: 0, sequence: 0, heardAtMs: 0 }, objection);
      continue;
    }
    if (known !== undefined && !supersedes(directive, known)) continue;
    latest.set(directive.id, directive);
    fresh.set(directive.id, directive);
  }
  changes.directives.push(...fresh.values());
  const byTarget = new Map<string, Directive[]>();
  for (const directive of latest.values()) {
    const known = byTarget.get(directive.target);
    if (known === undefined) byTarget.set(directive.target, [directive]);
    else known.push(directive);
  }
  return byTarget;
}

function objectionTo(directive: Directive, known: Directive | undefined): RefusedReason | undefined {
  // A directive is about one target for ever; another one needs another directive.
  if (known !== undefined && known.target !== directive.target) return "malformed";
  // A revocation is for ever anyway, whatever its number.
  return !directive.revoked && isFarAhead(directive.revision, known?.revision) ? "far-ahead" : undefined;
}

/** The order of services/domain/fold.ts: a revoked revision beats every other, then the higher one. */
function supersedes(directive: Directive, known: Directive): boolean {
  if (directive.revoked !== known.revoked) return directive.revoked;
  return directive.revision > known.revision;
}

/** Adds approvals that are not known yet; one for a batch has all its members folded again. */
export function acceptApprovals(intake: Intake, stored: readonly Approval[], changes: Changes): void {
  const known = new Set(stored.map(approvalKey));
  for (const approval of intake.approvals) {
    const key = approvalKey(approval);
    if (known.has(key)) continue;
    known.add(key);
    changes.approvals.push(approval);
    if (approval.directive === "")
      changes.newJobs.push({ kind: "batch", key: approval.batch, urgent: false });
  }
}

function approvalKey({ directive, revision, batch, person, region, kind, approved }: Approval): string {
  return JSON.stringify([directive, revision, batch, person, region, kind, approved]);
}
