import type { KnownBatch } from "#domain/approving.ts";
import {
  decideApproval,
  decideBatchApproval,
  decideBatchRevocation,
  distinctNeeds,
} from "#domain/approving.ts";
import { missingApprovals } from "#domain/approval.ts";
import type { DirectiveEvent, WritingContext } from "#domain/directive.ts";
import { decideExtend, decideIssue, decideRevoke } from "#domain/directive.ts";
import { stateOf } from "#domain/directive-state.ts";
import type { FoldMemory } from "#domain/fold.ts";
import { emptyMemory, fold } from "#domain/fold.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { Approval, Decision, Opinion } from "#domain/opinion.ts";
import { classify, requirement } from "#domain/powers.ts";
import { Refusal } from "#domain/refusal.ts";
import { parseTargetKey } from "#domain/target.ts";
import type { Action, ApprovalKind, Person, Role, Scope } from "#domain/vocabulary.ts";
import { slotOf } from "#domain/vocabulary.ts";
import { idOf, startMs, trunkDirection } from "./opinions.ts";

/** What the person may try; numbers pick among the directives there are. */
export type Command =
  | {
      kind: "issue";
      target: string;
      action: Action;
      scope: Scope | undefined;
      termMs: number;
      more: "" | "batch" | "override" | "false-stop";
    }
  | { kind: "issue-many"; from: number; count: number; termMs: number; action: Action }
  | { kind: "extend"; which: number; count: number; termMs: number }
  | { kind: "revoke"; which: number }
  | { kind: "approve"; which: number; approval: ApprovalKind | undefined }
  | { kind: "approve-batch" }
  | { kind: "revoke-batch" }
  | { kind: "wait"; ms: number };

/** A centre, its overlay and the capital's fold, in memory, with one person who acts. */
export class Nation {
  nowMs = startMs;
  sequence = 0;
  readonly batch = idOf("astana", 0);
  batchRevoked = false;
  readonly directives = new Map<string, Opinion>();
  readonly approvals: Approval[] = [];
  readonly written: Opinion[] = [];
  readonly memories = new Map<string, FoldMemory>();
  readonly decisions = new Map<string, Decision>();
  /** When a Kazakh number was first seen blocked by one revision. */
  readonly blocked = new Map<string, { number: string; atMs: number }>();
  /** Blocks in force, at any time, of a Kazakh range or of a Kazakh number everywhere. */
  readonly forbiddenBlocks: Opinion[] = [];
  readonly person: Person;

  constructor(role: Role) {
    this.person = { id: "person-1", role, region: "astana" };
  }

  /** Does the command, or nothing where it is refused. */
  run(command: Command): void {
    try {
      this.carryOut(command);
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof InvalidInput)) {
        throw error;
      }
    }
    for (const target of new Set([...this.directives.values()].map((each) => each.target))) {
      this.foldTarget(target);
    }
    this.lookAtOverlay();
  }

  private carryOut(command: Command): void {
    switch (command.kind) {
      case "issue":
        return this.issue(command.target, command.action, command.termMs, command.scope, command.more);
      case "issue-many":
        for (let index = 0; index < command.count; index++) {
          const number = `+7701${String(command.from + index).padStart(7, "0")}`;
          this.issue(`${number}@intl-1`, command.action, command.termMs, undefined, "");
        }
        return;
      case "extend":
        for (const directive of [...this.directives.values()].slice(
          command.which,
          command.which + command.count,
        )) {
          const end = { expiresAtMs: this.nowMs + command.termMs };
          this.attempt(
            () =>
              decideExtend(this.known(directive), end, this.writing(directive.target, directive.action))
                .events,
          );
        }
        return;
      case "revoke":
        return this.apply(
          decideRevoke(this.pick(command.which), { reason: "mistake" }, this.acting()).events,
        );
      case "approve": {
        const known = { ...this.pick(command.which), approvals: this.approvals };
        const wish = { approve: true, kind: command.approval, revision: 0 };
        return this.apply(decideApproval(known, wish, { ...this.acting(), trunkDirection }).events);
      }
      case "approve-batch":
        return this.apply(
          decideBatchApproval(
            this.knownBatch(),
            { approve: true, kind: undefined, revision: 0 },
            this.acting(),
          ).events,
        );
      case "revoke-batch":
        return this.apply(
          decideBatchRevocation(this.knownBatch(), { reason: "mistake" }, this.acting()).events,
        );
      case "wait":
        this.nowMs += command.ms;
    }
  }

  private issue(
    target: string,
    action: Action,
    termMs: number,
    scope: Scope | undefined,
    more: string,
  ): void {
    const command = {
      id: idOf("astana", this.written.length + 1),
      target: parseTargetKey(target),
      action,
      scope,
      basis: "communications-law-41-1",
      reason: "investigation",
      expiresAtMs: this.nowMs + termMs,
      overrideRevision: more === "override" ? (this.memories.get(target)?.revision ?? 0) : 0,
      evidence: [],
      falseStopOf: more === "false-stop" && action === "allow" ? idOf("astana", 1) : "",
      batch: more === "batch" ? this.batch : "",
    };
    const reason = slotOf(action) === "measure" ? "fraud" : "investigation";
    this.attempt(() => decideIssue({ ...command, reason }, this.writing(target, action)).events);
  }

  private attempt(decided: () => DirectiveEvent[]): void {
    try {
      this.apply(decided());
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof InvalidInput)) {
        throw error;
      }
    }
  }

  private apply(events: readonly DirectiveEvent[]): void {
    for (const { body } of events) {
      switch (body.$case) {
        case "directives":
          for (const directive of body.value.directives) {
            this.directives.set(directive.id, directive);
            this.written.push(directive);
          }
          break;
        case "approval":
          this.approvals.push(body.value);
          break;
        case "batchRevocation":
          this.batchRevoked = true;
      }
    }
  }

  private foldTarget(target: string): void {
    const opinions = this.written.filter((each) => each.target === target);
    const outcome = fold(target, opinions, {
      nowMs: this.nowMs,
      nextSequence: ++this.sequence,
      memory: this.memories.get(target) ?? emptyMemory,
      trunkDirection,
      approvalsOf: () => this.approvals,
      isRevokedBatch: () => this.batchRevoked,
      protectedTrunksOf: () => undefined,
    });
    this.memories.set(target, outcome.memory);
    for (const decision of outcome.decisions) {
      this.decisions.set(decision.directive, decision);
      if (decision.decision === "accepted") {
        this.seeEnforced(this.directives.get(decision.directive));
      }
    }
  }

  private lookAtOverlay(): void {
    for (const directive of this.directives.values()) {
      if (this.known(directive).state === "regional") {
        this.seeEnforced(directive);
      }
    }
  }

  private seeEnforced(directive: Opinion | undefined): void {
    if (directive?.action !== "block") {
      return;
    }
    const target = parseTargetKey(directive.target);
    const what = classify(target, { trunkDirection });
    if (what === "kazakh-range" || what === "kazakh-number-everywhere") {
      this.forbiddenBlocks.push(directive);
    }
    if (what !== "kazakh-number-on-international-trunk" || target.kind !== "number-on-trunk") {
      return;
    }
    const key = `${directive.id}#${directive.revision}`;
    if (!this.blocked.has(key)) {
      this.blocked.set(key, { number: target.number, atMs: this.nowMs });
    }
  }

  private known(directive: Opinion) {
    const decision = this.decisions.get(directive.id);
    const asked = requirement(directive, { trunkDirection });
    const standing = {
      decisions: decision === undefined ? [] : [decision],
      missing: asked.kind === "needs" ? missingApprovals(asked, directive, this.approvals) : [],
      refused: false,
      batchRevoked: directive.batch !== "" && this.batchRevoked,
    };
    return { directive, state: stateOf(directive, standing, this.nowMs).state };
  }

  private pick(which: number) {
    const all = [...this.directives.values()];
    const directive = all[which % Math.max(1, all.length)];
    if (directive === undefined) {
      throw new Refusal({
        code: "not-found",
        field: "id",
        value: "",
        message: "no directive",
        remedy: "issue one",
      });
    }
    return this.known(directive);
  }

  private knownBatch(): KnownBatch {
    const members = [...this.directives.values()].filter((each) => each.batch === this.batch);
    return {
      batch: this.batch,
      author: this.person.id,
      needs: distinctNeeds(members.map((each) => requirement(each, { trunkDirection }))),
      approvals: this.approvals,
      revoked: this.batchRevoked,
    };
  }

  private acting() {
    return { nowMs: this.nowMs, region: "astana", person: this.person };
  }

  private writing(target: string, action: string): WritingContext {
    const own = this.written.filter((each) => each.author === this.person.id && !each.revoked);
    const slot = slotOf(action as Action);
    const first = own.filter((each) => each.target === target && slotOf(each.action as Action) === slot)[0];
    return {
      ...this.acting(),
      trunkDirection,
      protectedTrunksOf: () => undefined,
      uses: own.filter((each) => each.batch === ""),
      firstOnTargetMs: first?.acceptedAtMs,
    };
  }
}
