import { describe, expect, it } from "vitest";

import { missingApprovals } from "#domain/approval.ts";
import type { KnownBatch } from "#domain/approving.ts";
import {
  batchStanding,
  decideApproval,
  decideBatchApproval,
  decideBatchRevocation,
  distinctNeeds,
} from "#domain/approving.ts";
import type { IssueCommand, WritingContext } from "#domain/directive.ts";
import { decideIssue } from "#domain/directive.ts";
import { fold } from "#domain/fold.ts";
import type { Approval, Opinion } from "#domain/opinion.ts";
import { dayMs } from "#domain/powers-table.ts";
import { requirement } from "#domain/powers.ts";
import { parseTargetKey } from "#domain/target.ts";
import type { Person } from "#domain/vocabulary.ts";
import {
  approvalOf,
  foldContext,
  foreignNumber,
  idOf,
  kazakhNumber,
  opinionOf,
  personOf,
  startMs,
  trunkDirection,
} from "./opinions.ts";

const operator = personOf("person-1", "operator", "astana");
const prosecutor = personOf("person-2", "regional-prosecutor", "astana");
const neighbour = personOf("person-3", "regional-prosecutor", "almaty");
const carrier = personOf("person-4", "carrier", "astana");
const central = personOf("person-5", "central-prosecutor", "capital");

function acting(person: Person, change: Partial<WritingContext> = {}): WritingContext {
  return {
    nowMs: startMs,
    region: person.region === "capital" ? "astana" : person.region,
    person,
    trunkDirection,
    protectedTrunksOf: () => undefined,
    uses: [],
    firstOnTargetMs: undefined,
    ...change,
  };
}

function issue(change: Partial<IssueCommand> = {}): IssueCommand {
  return {
    id: idOf("astana", 1),
    target: parseTargetKey(foreignNumber),
    action: "block",
    scope: undefined,
    basis: "communications-law-41-1",
    reason: "fraud",
    expiresAtMs: startMs + dayMs,
    overrideRevision: 0,
    evidence: [],
    falseStopOf: "",
    batch: "",
    ...change,
  };
}

const kazakhRange = parseTargetKey("+77011234500-+77011234599");

describe("approving", () => {
  const range = decideIssue(issue({ target: kazakhRange }), acting(operator)).directive;
  const held = (directive: Opinion, approvals: Approval[] = []) =>
    ({ directive, state: "held", approvals }) as const;
  const yes = { approve: true, kind: undefined, revision: 0 };

  it("by a prosecutor of the own region completes what an operator wrote", () => {
    const outcome = decideApproval(held(range), yes, acting(prosecutor));
    expect(outcome).toMatchObject({ state: "regional", missing: [] });
    expect(outcome.approval).toEqual(approvalOf({ complete: true }));
    expect(outcome.events).toEqual([
      { lane: "urgent", body: { $case: "approval", value: outcome.approval } },
    ]);
  });

  it("by the capital is a second person too", () => {
    expect(decideApproval(held(range), yes, acting(central)).approval).toMatchObject({
      region: "astana",
      complete: true,
    });
  });

  it("by another region never says that it is complete: that is for the directive's own region", () => {
    const block = opinionOf({ target: kazakhNumber, authorRole: "regional-prosecutor" });
    const outcome = decideApproval(held(block), yes, acting(neighbour));
    expect(outcome.approval).toMatchObject({ kind: "second-region", region: "almaty", complete: false });
    expect(outcome.missing).toEqual([]);
  });

  it("needs each kind from a person of its own", () => {
    const block = decideIssue(issue({ target: parseTargetKey(kazakhNumber) }), acting(operator)).directive;
    const first = decideApproval(held(block), yes, acting(carrier));
    expect(first).toMatchObject({
      state: "held",
      missing: ["second-person"],
      approval: { kind: "carrier", complete: false },
    });
    const second = decideApproval(held(block, first.approval && [first.approval]), yes, acting(prosecutor));
    expect(second).toMatchObject({ state: "regional", missing: [], approval: { complete: true } });
    const needs = requirement(block, { trunkDirection });
    const both = [approvalOf({ kind: "carrier", role: "carrier" }), approvalOf({ person: "person-2" })];
    expect(needs.kind === "needs" && missingApprovals(needs, block, both)).not.toEqual([]);
  });

  it("is refused to the author, to an operator, and to who cannot give what is missing", () => {
    const own = opinionOf({ ...range, author: "person-2", authorRole: "regional-prosecutor" });
    const colleague = personOf("person-9", "operator", "astana");
    expect(() => decideApproval(held(own), yes, acting(prosecutor))).toThrow(
      expect.objectContaining({ code: "forbidden", field: "person" }),
    );
    for (const person of [colleague, neighbour, carrier]) {
      expect(() => decideApproval(held(range), yes, acting(person))).toThrow(
        expect.objectContaining({ code: "forbidden", field: "role" }),
      );
    }
  });

  it("is a conflict when the revision moved or nothing waits", () => {
    expect(() => decideApproval(held(range), { ...yes, revision: 7 }, acting(prosecutor))).toThrow(
      expect.objectContaining({ code: "conflict", field: "revision" }),
    );
    const known = { directive: range, state: "national", approvals: [] } as const;
    expect(() => decideApproval(known, yes, acting(prosecutor))).toThrow(
      expect.objectContaining({ code: "conflict" }),
    );
  });

  it("again by the same person changes nothing", () => {
    const block = decideIssue(issue({ target: parseTargetKey(kazakhNumber) }), acting(operator)).directive;
    const first = decideApproval(held(block), yes, acting(carrier));
    const again = decideApproval(held(block, first.approval && [first.approval]), yes, acting(carrier));
    expect(again).toMatchObject({ approval: undefined, events: [], state: "held" });
  });

  it("can be refused, and then the directive is rejected in the fold too", () => {
    const outcome = decideApproval(held(range), { ...yes, approve: false }, acting(prosecutor));
    expect(outcome).toMatchObject({ state: "rejected", approval: { approved: false, complete: false } });
    const approvals = outcome.approval === undefined ? [] : [outcome.approval];
    const result = fold(range.target, [range], foldContext({ approvalsOf: () => approvals }));
    expect(result.decisions).toMatchObject([{ decision: "rejected", reason: "refused" }]);
  });
});

describe("a batch", () => {
  const batch = idOf("astana", 9);
  const member = (key: string) => opinionOf({ target: key, action: "warn", batch });
  const members = [foreignNumber, "+12025550123", kazakhNumber].map(member);
  const known: KnownBatch = {
    batch,
    author: "person-1",
    needs: distinctNeeds(members.map((each) => requirement(each, { trunkDirection }))),
    approvals: [],
    revoked: false,
  };
  const yes = { approve: true, kind: undefined, revision: 0 };

  it("asks for what its members ask for, each once", () => {
    expect(known.needs).toHaveLength(2);
    expect(batchStanding(known)).toEqual({
      state: "held",
      missing: ["second-person", "second-region", "carrier"],
    });
  });

  it("is approved as one: each member counts as soon as what it asks for is there", () => {
    const first = decideBatchApproval(known, yes, acting(prosecutor));
    expect(first).toMatchObject({
      state: "held",
      approval: { batch, directive: "", revision: 1, complete: false },
    });
    const approvals = first.approval === undefined ? [] : [first.approval];
    const decided = members.map(
      (each) =>
        fold(each.target, [each], foldContext({ approvalsOf: () => approvals })).decisions[0]?.decision,
    );
    expect(decided).toEqual(["accepted", "accepted", "held"]);
    const second = decideBatchApproval({ ...known, approvals }, yes, acting(carrier));
    expect(second).toMatchObject({
      state: "regional",
      missing: [],
      approval: { kind: "carrier", complete: true },
    });
  });

  it("is never approved by its author, also when he is a prosecutor", () => {
    expect(() => decideBatchApproval({ ...known, author: "person-2" }, yes, acting(prosecutor))).toThrow(
      expect.objectContaining({ code: "forbidden", field: "person" }),
    );
  });

  it("is revoked as one, by its author or a prosecutor, with a reason", () => {
    const { events } = decideBatchRevocation(known, { reason: "mistake" }, acting(operator));
    expect(events).toMatchObject([{ lane: "urgent", body: { $case: "batchRevocation", value: { batch } } }]);
    expect(
      decideBatchRevocation({ ...known, revoked: true }, { reason: "mistake" }, acting(operator)).events,
    ).toEqual([]);
    expect(() => decideBatchRevocation(known, { reason: "mistake" }, acting(neighbour))).toThrow(/author/u);
    expect(batchStanding({ ...known, revoked: true }).state).toBe("revoked");
  });
});
