import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { FoldContext, FoldOutcome } from "#domain/fold.ts";
import { fold } from "#domain/fold.ts";
import type { Approval, Opinion } from "#domain/opinion.ts";
import { dayMs, hourMs } from "#domain/powers-table.ts";
import {
  approvalOf,
  foldContext,
  foreignNumber,
  idOf,
  kazakhNumber,
  opinionOf,
  startMs,
} from "./opinions.ts";

const astana = (index: number, change: Partial<Opinion> = {}) =>
  opinionOf({ id: idOf("astana", index), ...change });
const almaty = (index: number, change: Partial<Opinion> = {}) =>
  opinionOf({ id: idOf("almaty", index), ...change });
const prosecutor: Partial<Opinion> = { authorRole: "regional-prosecutor" };
const observe: Partial<Opinion> = { ...prosecutor, action: "observe" };

function folded(opinions: readonly Opinion[], change: Partial<FoldContext> = {}): FoldOutcome {
  return fold(opinions[0]?.target ?? foreignNumber, opinions, foldContext(change));
}

/** What is said of each directive, as `decision` or `decision: reason`. */
function said(outcome: FoldOutcome): Record<string, string> {
  return Object.fromEntries(
    outcome.decisions.map((each) => [
      `${each.region} ${Number(each.directive.slice(-4))}`,
      each.reason === "" ? each.decision : `${each.decision}: ${each.reason}`,
    ]),
  );
}

describe("the measure of a target", () => {
  it("is the strictest that counts, shows the oldest with that action, and ends with the latest of them", () => {
    const outcome = folded([
      astana(1, { action: "warn", expiresAtMs: startMs + 6 * dayMs }),
      astana(2, { acceptedAtMs: startMs + 1, expiresAtMs: startMs + 2 * dayMs }),
      almaty(3, { acceptedAtMs: startMs + 2, expiresAtMs: startMs + 3 * dayMs, reason: "spoofing" }),
      almaty(4, { action: "divert", expiresAtMs: startMs + 5 * dayMs }),
    ]);
    expect(outcome.entries).toEqual({
      measure: {
        target: foreignNumber,
        slot: "measure",
        action: "block",
        directive: idOf("astana", 2),
        reason: "fraud",
        expiresAtMs: startMs + 3 * dayMs,
        soleSupport: "",
        revision: 1,
        authorRole: "operator",
        falseStopOf: "",
      },
    });
    expect(said(outcome)).toEqual({
      "almaty 3": "accepted",
      "almaty 4": "accepted",
      "astana 1": "accepted",
      "astana 2": "accepted",
    });
    expect(outcome.nextChangeAtMs).toBe(startMs + 2 * dayMs);
  });

  it("names its only support when one opinion alone has that action", () => {
    const outcome = folded([astana(1), almaty(2, { action: "warn" })]);
    expect(outcome.entries.measure?.soleSupport).toBe(idOf("astana", 1));
  });

  it("of an allow shows the prosecutor behind it, whoever wrote the oldest opinion and whoever approved", () => {
    const range = { action: "allow", falseStopOf: "" };
    const written = astana(1, range);
    const approved = approvalOf();
    const approvalsOf = (directive: string) => (directive === written.id ? [approved] : []);
    const alone = folded([written], { approvalsOf });
    expect(alone.entries.allow).toMatchObject({ authorRole: "regional-prosecutor", directive: written.id });
    const central = almaty(2, { ...range, authorRole: "central-prosecutor", acceptedAtMs: startMs + 1 });
    expect(folded([written, central], { approvalsOf }).entries.allow).toMatchObject({
      authorRole: "central-prosecutor",
      directive: written.id,
    });
  });

  it("stands beside an allow and an observe, folded apart", () => {
    const outcome = folded([
      astana(1),
      astana(2, { ...prosecutor, action: "allow", reason: "appeal-upheld" }),
      astana(3, { ...observe, reason: "investigation" }),
    ]);
    expect(Object.values(outcome.entries).map((entry) => [entry.slot, entry.action])).toEqual([
      ["measure", "block"],
      ["allow", "allow"],
      ["observe", "observe"],
    ]);
    expect(outcome.changed).toEqual(["measure", "allow", "observe"]);
  });

  it("falls back to what is left when its support is withdrawn, and ends with the last one", () => {
    const warning = almaty(2, { action: "warn" });
    const first = folded([astana(1), warning]);
    const second = folded([astana(1, { revision: 2, revoked: true }), warning], {
      memory: first.memory,
      nextSequence: 2,
    });
    expect(second.entries.measure).toMatchObject({ action: "warn", directive: warning.id, revision: 2 });
    expect(said(second)).toEqual({ "almaty 2": "accepted", "astana 1": "revoked" });
    const third = folded([{ ...warning, revision: 2, revoked: true }], {
      memory: second.memory,
      nextSequence: 3,
    });
    expect(third).toMatchObject({
      entries: {},
      changed: [],
      removed: ["measure"],
      nextChangeAtMs: undefined,
    });
  });

  it("changes at the end of each opinion", () => {
    const opinions = [astana(1), almaty(2, { action: "warn", expiresAtMs: startMs + 2 * dayMs })];
    const first = folded(opinions);
    const second = folded(opinions, {
      memory: first.memory,
      nextSequence: 2,
      nowMs: first.nextChangeAtMs ?? 0,
    });
    expect(second.entries.measure?.action).toBe("warn");
    expect(said(second)).toEqual({ "almaty 2": "accepted", "astana 1": "expired" });
    expect(second.nextChangeAtMs).toBe(startMs + 2 * dayMs);
  });
});

describe("an opinion does not count", () => {
  it("when a later revision of it is held", () => {
    const outcome = folded([astana(1), astana(1, { revision: 2, expiresAtMs: startMs + 8 * dayMs })]);
    expect(outcome.entries).toEqual({});
    expect(outcome.decisions).toMatchObject([
      { revision: 2, decision: "held", reason: "approval", missing: ["second-person"] },
    ]);
  });

  it("when it was revoked, though a later revision overtakes the revocation", () => {
    const outcome = folded([astana(1, { revision: 3 }), astana(1, { revision: 2, revoked: true })]);
    expect(said(outcome)).toEqual({ "astana 1": "revoked" });
  });

  it("when its batch was revoked, also when it arrives later", () => {
    const batch = idOf("astana", 99);
    const outcome = folded([astana(1, { batch })], {
      isRevokedBatch: (each) => each === batch,
      approvalsOf: () => [approvalOf({ directive: "", batch })],
    });
    expect(said(outcome)).toEqual({ "astana 1": "revoked: batch-revoked" });
  });

  it("when no approval could make it right", () => {
    const outcome = folded([astana(1, { ...observe, expiresAtMs: startMs + 31 * dayMs })]);
    expect(said(outcome)).toEqual({ "astana 1": "rejected: powers" });
  });

  it("when it is of scope region: it is never folded, and where its region decides alone nothing is said of it", () => {
    expect(folded([astana(1, { scope: "region" })])).toMatchObject({ entries: {}, decisions: [] });
  });

  it("when it is of scope region and approved elsewhere: then its region is told, and it is not folded either", () => {
    const block = astana(1, { scope: "region", target: kazakhNumber, ...prosecutor });
    expect(said(folded([block]))).toEqual({ "astana 1": "held: approval" });
    const approved = approvalOf({ kind: "second-region", region: "almaty" });
    const outcome = folded([block], { approvalsOf: () => [approved] });
    expect(outcome).toMatchObject({ entries: {}, changed: [], decisions: [{ decision: "accepted" }] });
  });

  it.each([
    [kazakhNumber, ["dom-1"], true],
    [`${kazakhNumber}@dom-1`, ["dom-1"], true],
    [`${kazakhNumber}@international`, ["dom-1"], false],
    [`${kazakhNumber}@international`, ["intl-1"], true],
    [`${kazakhNumber}@intl-1`, ["international"], true],
    [`${kazakhNumber}@intl-2`, ["intl-1"], false],
  ])("when %s is aimed at and the number is protected on %j: %s", (target, own, rejected) => {
    const outcome = folded([astana(1, { target, ...prosecutor })], {
      protectedTrunksOf: (number) => (number === kazakhNumber ? own : undefined),
      approvalsOf: () => [approvalOf({ kind: "carrier", role: "carrier" })],
    });
    expect(said(outcome)["astana 1"]).toBe(rejected ? "rejected: protected" : "accepted");
  });
});

describe("approvals in the fold", () => {
  const held = astana(1, { target: kazakhNumber, ...prosecutor });
  const secondRegion = approvalOf({ kind: "second-region", region: "almaty", person: "person-3" });
  const judged = (...approvals: Approval[]) =>
    said(folded([held], { approvalsOf: () => approvals }))["astana 1"];

  it("complete an opinion by any one set of those that are asked for", () => {
    expect(judged()).toBe("held: approval");
    expect(judged(secondRegion)).toBe("accepted");
    expect(judged(approvalOf({ kind: "carrier", role: "carrier", region: "almaty" }))).toBe("accepted");
  });

  it.each<[string, Partial<Approval>]>([
    ["another revision", { revision: 2 }],
    ["another directive", { directive: idOf("astana", 2) }],
    ["its author", { person: "person-1" }],
    ["its own region as the second one", { region: "astana" }],
    ["an operator", { role: "operator" }],
    ["a kind that is not asked for", { kind: "second-person", region: "astana" }],
  ])("of %s count for nothing", (_name, change) => {
    expect(judged({ ...secondRegion, ...change })).toBe("held: approval");
    expect(judged({ ...secondRegion, ...change, approved: false })).toBe("held: approval");
  });

  it("reject when one who could approve refuses, whatever others say", () => {
    const carrier = approvalOf({ kind: "carrier", role: "carrier" });
    expect(judged(carrier, { ...secondRegion, approved: false })).toBe("rejected: refused");
  });

  it("of a batch count for its members as they were accepted, and not for an extension", () => {
    const batch = idOf("astana", 99);
    const approvalsOf = () => [approvalOf({ directive: "", batch })];
    expect(said(folded([astana(1, { batch })], { approvalsOf }))).toEqual({ "astana 1": "accepted" });
    expect(said(folded([astana(1, { batch, revision: 2 })], { approvalsOf }))).toEqual({
      "astana 1": "held: approval",
    });
    expect(said(folded([astana(1)], { approvalsOf }))).toEqual({ "astana 1": "accepted" });
  });
});

describe("any fold", () => {
  const regions = ["astana", "almaty", "mangystau"] as const;
  const opinions = fc.array(
    fc
      .record({
        region: fc.constantFrom(...regions),
        index: fc.integer({ min: 1, max: 4 }),
        revision: fc.integer({ min: 1, max: 3 }),
        action: fc.constantFrom("allow", "warn", "divert", "block", "observe"),
        authorRole: fc.constantFrom("operator", "regional-prosecutor", "detection"),
        scope: fc.constantFrom("nation", "nation", "nation", "region"),
        acceptedAtMs: fc.integer({ min: startMs - 5, max: startMs }),
        hours: fc.integer({ min: 0, max: 40 }),
        overrideRevision: fc.constantFrom(0, 0, 0, 5, 6),
        revoked: fc.constantFrom(false, false, false, true),
      })
      .map(({ region, index, hours, ...rest }) =>
        opinionOf({ ...rest, id: idOf(region, index), expiresAtMs: startMs + hours * hourMs }),
      ),
    { maxLength: 12 },
  );
  const firstThenAll = (early: Opinion[]) => {
    const first = fold(foreignNumber, early, foldContext({ nextSequence: 5 }));
    return (order: Opinion[]) =>
      fold(foreignNumber, order, foldContext({ memory: first.memory, nextSequence: 6 }));
  };

  it("does not depend on the order of the opinions, nor on repeats", () => {
    const scene = fc.tuple(opinions, opinions).chain(([early, late]) =>
      fc.tuple(
        fc.constant([early, late] as const),
        fc.shuffledSubarray([...early, ...late, ...early, ...late], {
          minLength: 2 * (early.length + late.length),
        }),
      ),
    );
    fc.assert(
      fc.property(scene, ([[early, late], shuffled]) => {
        const refold = firstThenAll(early);
        expect(refold(shuffled)).toEqual(refold([...early, ...late]));
      }),
    );
  });

  it("changes nothing when it is done again", () => {
    fc.assert(
      fc.property(opinions, opinions, (early, late) => {
        const all = [...early, ...late];
        const once = firstThenAll(early)(all);
        const twice = fold(foreignNumber, all, foldContext({ memory: once.memory, nextSequence: 7 }));
        expect(twice).toEqual({ ...once, changed: [], removed: [] });
      }),
    );
  });

  it("shows no measure weaker than one that counts, none behind which nobody stands, and no change before the next", () => {
    fc.assert(
      fc.property(opinions, opinions, (early, late) => {
        // One revision of a directive says one thing.
        const contents = new Map([...early, ...late].map((each) => [`${each.id} ${each.revision}`, each]));
        const all = [...contents.values()];
        const outcome = firstThenAll(all.filter((each) => early.includes(each)))(all);
        const accepted = new Set(
          outcome.decisions.filter((each) => each.decision === "accepted").map((each) => each.directive),
        );
        const strict = ["warn", "divert", "block"];
        const entry = outcome.entries.measure;
        for (const { directive } of outcome.decisions.filter((each) => accepted.has(each.directive))) {
          const revision = outcome.decisions.find((each) => each.directive === directive)?.revision;
          const actions = all.filter((each) => each.id === directive && each.revision === revision);
          expect(
            actions.some((each) => strict.indexOf(each.action) <= strict.indexOf(entry?.action ?? "")),
          ).toBe(true);
        }
        expect(Object.values(outcome.entries).every((each) => accepted.has(each.directive))).toBe(true);
        const justBeforeMs = (outcome.nextChangeAtMs ?? startMs + 1) - 1;
        const context = foldContext({ memory: outcome.memory, nextSequence: 7, nowMs: justBeforeMs });
        expect(fold(foreignNumber, all, context)).toMatchObject({
          changed: [],
          decisions: outcome.decisions,
        });
      }),
    );
  });

  it("refuses an opinion on another target", () => {
    expect(() => fold(kazakhNumber, [astana(1)], foldContext())).toThrow(/another/u);
  });
});

describe("a row that was taken back from NATIONAL, whose opinions come again", () => {
  it("is the same, under its revision, and remembers what stands behind it", () => {
    const before = folded([astana(1), almaty(2)], { nextSequence: 7 });
    const { revision, entries } = before.memory;
    const takenBack = { revision, entries, counting: {}, behind: [], overridden: [], overrides: {} };
    const again = folded([astana(1), almaty(2)], { memory: takenBack, nextSequence: 9 });
    expect(again.changed).toEqual([]);
    expect(again.memory).toEqual(before.memory);
    const fewer = folded([almaty(2)], { memory: again.memory, nextSequence: 10 });
    expect(fewer.changed).toEqual(["measure"]);
  });
});
