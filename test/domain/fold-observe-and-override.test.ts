import { describe, expect, it } from "vitest";

import type { FoldContext, FoldMemory, FoldOutcome } from "#domain/fold.ts";
import { emptyMemory, fold } from "#domain/fold.ts";
import type { Opinion } from "#domain/opinion.ts";
import { dayMs } from "#domain/powers-table.ts";
import { foldContext, foreignNumber, idOf, opinionOf, startMs } from "./opinions.ts";

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

describe("an observe", () => {
  it("holds back blocks and diverts of other regions, those in force too, and no warning", () => {
    const others = [almaty(1), almaty(2, { action: "divert" }), almaty(3, { action: "warn" })];
    const before = folded(others);
    expect(before.entries.measure?.action).toBe("block");
    const outcome = folded([...others, astana(4, observe)], { memory: before.memory, nextSequence: 2 });
    expect(outcome.entries.measure).toMatchObject({ action: "warn", directive: idOf("almaty", 3) });
    expect(outcome.entries.observe).toMatchObject({ directive: idOf("astana", 4) });
    expect(said(outcome)).toEqual({
      "almaty 1": "held: observed",
      "almaty 2": "held: observed",
      "almaty 3": "accepted",
      "astana 4": "accepted",
    });
  });

  it("lets its own region's blocks go on, and another region's allow", () => {
    const outcome = folded([astana(1), astana(2, observe), almaty(3, { ...prosecutor, action: "allow" })]);
    expect(outcome.entries.measure?.action).toBe("block");
    expect(outcome.entries.allow?.action).toBe("allow");
  });

  it("holds nothing back when it does not count itself", () => {
    const outcome = folded([almaty(1), astana(2, { ...observe, authorRole: "operator" })]);
    expect(said(outcome)).toEqual({ "almaty 1": "accepted", "astana 2": "held: approval" });
  });

  it("lets what it held back count again when it ends", () => {
    const opinions = [almaty(1, { expiresAtMs: startMs + 2 * dayMs }), astana(2, observe)];
    const first = folded(opinions);
    expect(first.entries.measure).toBeUndefined();
    const second = folded(opinions, {
      memory: first.memory,
      nextSequence: 2,
      nowMs: first.nextChangeAtMs ?? 0,
    });
    expect(second.entries).toMatchObject({ measure: { action: "block", revision: 2 } });
    expect(second.removed).toEqual(["observe"]);
    expect(said(second)).toEqual({ "almaty 1": "accepted", "astana 2": "expired" });
  });
});

describe("an override", () => {
  const block = almaty(1);
  const before = folded([block], { nextSequence: 10 });
  const override = (index: number, change: Partial<Opinion> = {}) =>
    astana(index, { ...prosecutor, action: "warn", overrideRevision: 10, ...change });
  const after = (opinions: Opinion[], memory: FoldMemory, nextSequence = 20) =>
    folded(opinions, { memory, nextSequence });

  it("ends the opinions behind the revision it names, when that is still the current one", () => {
    const outcome = after([block, override(2)], before.memory);
    expect(outcome.entries.measure).toMatchObject({
      action: "warn",
      directive: idOf("astana", 2),
      revision: 20,
    });
    expect(said(outcome)).toEqual({ "almaty 1": "rejected: overridden", "astana 2": "accepted" });
  });

  it("stays settled in later folds, and does not come undone when it is withdrawn", () => {
    const first = after([block, override(2)], before.memory);
    const second = after([block, override(2)], first.memory, 30);
    expect(second.changed).toEqual([]);
    expect(second.decisions).toEqual(first.decisions);
    const third = after([block, override(2, { revision: 2, revoked: true })], second.memory, 40);
    expect(third.entries).toEqual({});
    expect(said(third)).toEqual({ "almaty 1": "rejected: overridden", "astana 2": "revoked" });
  });

  it("stays settled when it is extended", () => {
    const first = after([block, override(2)], before.memory);
    const extended = override(2, { revision: 2, expiresAtMs: startMs + 2 * dayMs });
    expect(said(after([block, extended], first.memory, 30))["astana 2"]).toBe("accepted");
  });

  it("is rejected when the target has moved, and stays rejected", () => {
    const moved = after([block, almaty(3)], before.memory);
    const outcome = after([block, almaty(3), override(2)], moved.memory, 30);
    expect(said(outcome)).toEqual({
      "almaty 1": "accepted",
      "almaty 3": "accepted",
      "astana 2": "rejected: conflict",
    });
    expect(outcome.changed).toEqual([]);
    expect(said(after([block, override(2)], outcome.memory, 40))["astana 2"]).toBe("rejected: conflict");
  });

  it("is rejected when only one more opinion stands behind the same entry: nobody has seen that one", () => {
    const two = after([block, almaty(3)], before.memory);
    const three = after([block, almaty(3), almaty(4)], two.memory, 30);
    expect(three.entries.measure).toEqual({ ...two.entries.measure, revision: 30 });
    const outcome = after(
      [block, almaty(3), almaty(4), override(2, { overrideRevision: 20 })],
      three.memory,
      40,
    );
    expect(said(outcome)["astana 2"]).toBe("rejected: conflict");
  });

  it("is rejected when the target has no national revision at all", () => {
    expect(said(after([override(2)], emptyMemory))).toEqual({ "astana 2": "rejected: conflict" });
  });

  it("lets later opinions count again, also the next revision of one that it ended", () => {
    const first = after([block, override(2)], before.memory);
    const outcome = after(
      [{ ...block, revision: 2 }, override(2), almaty(5, { action: "divert" })],
      first.memory,
      30,
    );
    expect(outcome.entries.measure?.action).toBe("block");
    expect(said(outcome)).toEqual({ "almaty 1": "accepted", "almaty 5": "accepted", "astana 2": "accepted" });
  });

  it("does not end an opinion that arrives beside it: nobody has seen that one", () => {
    const outcome = after([block, override(2), almaty(3, { action: "divert" })], before.memory);
    expect(outcome.entries.measure?.action).toBe("divert");
    expect(said(outcome)["almaty 3"]).toBe("accepted");
  });

  it("of two that name one revision, settles the older and rejects the other", () => {
    const older = override(3, { id: idOf("mangystau", 3), action: "divert" });
    const outcome = after([block, override(2, { acceptedAtMs: startMs + 1 }), older], before.memory);
    expect(said(outcome)).toEqual({
      "almaty 1": "rejected: overridden",
      "astana 2": "rejected: conflict",
      "mangystau 3": "accepted",
    });
  });

  it("ends nothing while an approval is missing, and nothing at all when it is no prosecutor's", () => {
    const waiting = after([block, override(2, { beyondDailyTargets: true })], before.memory);
    expect(said(waiting)).toEqual({ "almaty 1": "accepted", "astana 2": "held: approval" });
    const powerless = after([block, override(2, { authorRole: "operator" })], before.memory);
    expect(said(powerless)).toEqual({ "almaty 1": "accepted", "astana 2": "rejected: powers" });
  });

  it("ends an observe and what that held back", () => {
    const observed = after([block, almaty(4, { id: idOf("mangystau", 4), ...observe })], before.memory);
    expect(observed.entries.measure).toBeUndefined();
    const opinions = [
      block,
      almaty(4, { id: idOf("mangystau", 4), ...observe }),
      override(2, { overrideRevision: 20 }),
    ];
    const outcome = after(opinions, observed.memory, 30);
    expect(Object.values(outcome.entries).map((entry) => entry.action)).toEqual(["warn"]);
    expect(said(outcome)).toEqual({
      "almaty 1": "rejected: overridden",
      "astana 2": "accepted",
      "mangystau 4": "rejected: overridden",
    });
  });
});
