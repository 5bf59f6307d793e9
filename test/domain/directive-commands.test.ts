import { describe, expect, it } from "vitest";

import { legalBases } from "#domain/catalogue.ts";
import type { IssueCommand, WritingContext } from "#domain/directive.ts";
import { decideExtend, decideIssue, decideRevoke } from "#domain/directive.ts";
import { fold } from "#domain/fold.ts";
import { dayMs, hourMs } from "#domain/powers-table.ts";
import { requirement } from "#domain/powers.ts";
import { parseTargetKey } from "#domain/target.ts";
import type { Person } from "#domain/vocabulary.ts";
import {
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

describe("issuing", () => {
  it("within the author's powers is complete at once, and urgent", () => {
    const outcome = decideIssue(issue(), acting(operator));
    expect(outcome).toMatchObject({ state: "regional", missing: [], interrupted: false });
    expect(outcome.directive).toEqual(opinionOf());
    expect(outcome.events).toEqual([
      { lane: "urgent", body: { $case: "directives", value: { directives: [outcome.directive] } } },
    ]);
  });

  it("beyond them is held whole, with what is missing", () => {
    const outcome = decideIssue(issue({ expiresAtMs: startMs + 30 * dayMs }), acting(operator));
    expect(outcome).toMatchObject({ state: "held", missing: ["second-person"] });
    expect(outcome.directive).toMatchObject({
      expiresAtMs: startMs + 30 * dayMs,
      missing: ["second-person"],
    });
    expect(outcome.events).toHaveLength(1);
  });

  it("without a scope takes the widest that its author may decide alone, else the nation", () => {
    const kazakh = parseTargetKey(kazakhNumber);
    expect(decideIssue(issue(), acting(operator)).directive.scope).toBe("nation");
    expect(decideIssue(issue({ target: kazakh, action: "warn" }), acting(operator)).directive.scope).toBe(
      "region",
    );
    expect(decideIssue(issue({ target: kazakh }), acting(operator))).toMatchObject({
      directive: { scope: "nation" },
      missing: ["second-person", "second-region", "carrier"],
    });
  });

  it("counts terms from the author's first directive on the target", () => {
    const context = acting(operator, { firstOnTargetMs: startMs - 6 * dayMs });
    expect(decideIssue(issue({ expiresAtMs: startMs + dayMs }), context).state).toBe("regional");
    expect(decideIssue(issue({ expiresAtMs: startMs + dayMs + 1 }), context).state).toBe("held");
  });

  it("waits for a second person from the fifty-first target of a day on", () => {
    const uses = Array.from({ length: 50 }, (_, index) => ({
      target: `+4420${7000000 + index}`,
      acceptedAtMs: startMs,
    }));
    const outcome = decideIssue(issue(), acting(operator, { uses }));
    expect(outcome).toMatchObject({
      state: "held",
      missing: ["second-person"],
      directive: { beyondDailyTargets: true },
    });
  });

  it("rests on evidence named by ids: of calls, of reports, of the register", () => {
    const evidence = ["screening-0-12345678-1234567", idOf("astana", 7), "257100121000015", "case:2026/14"];
    expect(decideIssue(issue({ evidence }), acting(operator)).directive.evidence).toEqual(evidence);
  });

  it("in a batch goes by the lane of imports and waits for a second person", () => {
    const outcome = decideIssue(issue({ action: "warn", batch: idOf("astana", 9) }), acting(operator));
    expect(outcome).toMatchObject({ state: "held", missing: ["second-person"] });
    expect(outcome.events[0]?.lane).toBe("events");
  });

  it.each<[string, Partial<IssueCommand>, string, string]>([
    ["an end in the past", { expiresAtMs: startMs }, "invalid-expiry", "expires"],
    ["an end that is no time", { expiresAtMs: Number.NaN }, "invalid-expiry", "expires"],
    ["a basis that does not exist", { basis: "no-law" }, "unknown-basis", "basis"],
    ["a reason that does not exist", { reason: "because" }, "unknown-reason", "reason"],
    ["a false stop with a block", { falseStopOf: idOf("almaty", 1) }, "unfit-false-stop", "falseStopOf"],
    ["an override of half a revision", { overrideRevision: 1.5 }, "invalid-revision", "override"],
    ["a regional override", { overrideRevision: 3, scope: "region" }, "invalid-scope", "scope"],
    ["a heap of evidence", { evidence: Array.from({ length: 101 }, () => "e") }, "too-many", "evidence"],
    ["evidence in words", { evidence: ["told by Aigerim"] }, "invalid-evidence", "evidence"],
    ["a victim's number as evidence", { evidence: ["8-701-123-45-67"] }, "invalid-evidence", "evidence"],
    ["a victim's fixed line as evidence", { evidence: ["7172123456"] }, "invalid-evidence", "evidence"],
    [
      "a false stop in words",
      { action: "allow", reason: "false-stop", falseStopOf: "the call of 87011234567" },
      "invalid-id",
      "falseStopOf",
    ],
    ["an end beyond the basis", { expiresAtMs: startMs + 366 * dayMs }, "forbidden", "expires"],
    [
      "an allow for a range",
      { action: "allow", target: kazakhRange, expiresAtMs: startMs + dayMs },
      "forbidden",
      "target",
    ],
    ["an operator's override", { overrideRevision: 3 }, "forbidden", "override"],
  ])("refuses %s and names the field", (_name, change, code, field) => {
    expect(() => decideIssue(issue(change), acting(operator))).toThrow(
      expect.objectContaining({ code, field, remedy: expect.stringMatching(/./u) }),
    );
  });

  it("refuses a person of another region, and a role that issues nothing", () => {
    expect(() => decideIssue(issue(), acting(neighbour, { region: "astana" }))).toThrow(
      expect.objectContaining({ code: "forbidden", field: "region" }),
    );
    expect(() => decideIssue(issue(), acting(carrier))).toThrow(
      expect.objectContaining({ code: "forbidden", field: "role" }),
    );
  });

  it("refuses a protected number where it originates, and not on another trunk", () => {
    const context = acting(operator, { protectedTrunksOf: () => ["dom-1"] });
    expect(() => decideIssue(issue({ target: parseTargetKey(kazakhNumber) }), context)).toThrow(
      expect.objectContaining({ code: "failed-precondition", field: "target" }),
    );
    const elsewhere = issue({ target: parseTargetKey(`${kazakhNumber}@international`) });
    expect(decideIssue(elsewhere, context).state).toBe("regional");
  });
});

describe("the longest term of a legal basis", () => {
  it.each(legalBases.map((basis) => [basis.code, basis] as const))("of %s is kept", (code, basis) => {
    for (const action of basis.actions) {
      const longestMs = (action === "observe" ? Math.min(30, basis.termDaysMax) : basis.termDaysMax) * dayMs;
      const question = { ...opinionOf({ authorRole: "regional-prosecutor", basis: code, action }) };
      expect(requirement({ ...question, expiresAtMs: startMs + longestMs }, { trunkDirection }).kind).toBe(
        "alone",
      );
      expect(
        requirement({ ...question, expiresAtMs: startMs + longestMs + 1 }, { trunkDirection }),
      ).toMatchObject({
        kind: "forbidden",
        field: "expires",
      });
    }
  });

  it("cannot be passed by extending, whoever extends", () => {
    const directive = opinionOf({ acceptedAtMs: startMs - 360 * dayMs, expiresAtMs: startMs + dayMs });
    const known = { directive, state: "national" } as const;
    expect(decideExtend(known, { expiresAtMs: startMs + 5 * dayMs }, acting(prosecutor)).state).toBe(
      "regional",
    );
    expect(() => decideExtend(known, { expiresAtMs: startMs + 6 * dayMs }, acting(prosecutor))).toThrow(
      expect.objectContaining({ code: "forbidden", field: "expires" }),
    );
  });
});

describe("extending", () => {
  const known = { directive: opinionOf({ target: foreignNumber }), state: "national" } as const;

  it("within the term makes a new revision that is complete", () => {
    const nowMs = startMs + hourMs;
    const outcome = decideExtend(known, { expiresAtMs: startMs + 7 * dayMs }, acting(operator, { nowMs }));
    expect(outcome).toMatchObject({ state: "regional", interrupted: false });
    expect(outcome.directive).toMatchObject({ revision: 2, acceptedAtMs: nowMs, termFromMs: startMs });
    expect(outcome.events[0]?.lane).toBe("urgent");
  });

  it("beyond it needs approvals anew, and says that nothing is enforced until then", () => {
    const outcome = decideExtend(known, { expiresAtMs: startMs + 8 * dayMs }, acting(operator));
    expect(outcome).toMatchObject({ state: "held", missing: ["second-person"], interrupted: true });
  });

  it("by a prosecutor makes him the author", () => {
    const outcome = decideExtend(known, { expiresAtMs: startMs + 30 * dayMs }, acting(prosecutor));
    expect(outcome).toMatchObject({
      state: "regional",
      directive: { author: "person-2", authorRole: "regional-prosecutor" },
    });
  });

  it("is refused to another operator, to another region, backwards, and when it is over", () => {
    const later = { expiresAtMs: startMs + 2 * dayMs };
    const colleague = personOf("person-9", "operator", "astana");
    expect(() => decideExtend(known, later, acting(colleague))).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
    expect(() => decideExtend(known, later, acting(neighbour))).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
    expect(() => decideExtend(known, { expiresAtMs: startMs + 1 }, acting(operator))).toThrow(
      expect.objectContaining({ code: "invalid-expiry" }),
    );
    for (const state of ["rejected", "revoked", "expired"] as const) {
      expect(() => decideExtend({ ...known, state }, later, acting(operator))).toThrow(
        expect.objectContaining({ code: "conflict" }),
      );
    }
  });
});

describe("revoking", () => {
  const known = { directive: opinionOf(), state: "national" } as const;

  it.each([operator, prosecutor, central])("takes one person alone: $role", (person) => {
    const outcome = decideRevoke(known, { reason: "mistake" }, acting(person));
    expect(outcome).toMatchObject({ state: "revoked", missing: [] });
    expect(outcome.directive).toMatchObject({
      revision: 2,
      revoked: true,
      revokedBy: person.id,
      reason: "mistake",
    });
    expect(outcome.events).toMatchObject([{ lane: "urgent", body: { $case: "directives" } }]);
  });

  it("withdraws what the nation enforces", () => {
    const first = fold(foreignNumber, [known.directive], foldContext());
    expect(first.entries.measure?.action).toBe("block");
    const { directive } = decideRevoke(known, { reason: "mistake" }, acting(operator));
    const second = fold(
      foreignNumber,
      [known.directive, directive],
      foldContext({ memory: first.memory, nextSequence: 2 }),
    );
    expect(second).toMatchObject({ entries: {}, removed: ["measure"] });
  });

  it("again changes nothing", () => {
    const { directive } = decideRevoke(known, { reason: "mistake" }, acting(operator));
    const again = decideRevoke({ directive, state: "revoked" }, { reason: "mistake" }, acting(prosecutor));
    expect(again).toMatchObject({ directive, events: [] });
  });

  it("is refused to another operator, to another region, and without a reason", () => {
    const colleague = personOf("person-9", "operator", "astana");
    expect(() => decideRevoke(known, { reason: "mistake" }, acting(colleague))).toThrow(/author/u);
    expect(() => decideRevoke(known, { reason: "mistake" }, acting(neighbour))).toThrow(/astana/u);
    expect(() => decideRevoke(known, { reason: "" }, acting(operator))).toThrow(
      expect.objectContaining({ field: "reason" }),
    );
  });
});
