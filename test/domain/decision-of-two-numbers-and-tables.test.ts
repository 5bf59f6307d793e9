import { describe, expect, test } from "vitest";
import { callQuestion } from "#domain/call.ts";
import { collect } from "#domain/collect.ts";
import type { Decided } from "#domain/decision.ts";
import { decide } from "#domain/decision.ts";
import type { NationalRow } from "#domain/national-rows.ts";
import type { OverlayDirective } from "#domain/overlay-events.ts";
import type { GivenCall } from "./given.ts";
import { entryRow, judge, nowMs, overlayOf, own, protectedRow, region, tableOf } from "./given.ts";

const foreign = "+442079460958";
const foreignRange = "+442079460000-+442079469999";
const mobile = "+77012345678";
const fixed = "+77172123456";
const bank = "+77272500000";

interface Row {
  title: string;
  national?: NationalRow[];
  overlay?: OverlayDirective[];
  call: GivenCall;
  atMs?: number;
  expected: Partial<Decided>;
}

const bankRow = protectedRow(bank, "dom-1");
const blockNumber = entryRow(foreign, "block");
const blockRange = entryRow(foreignRange, "block", { directive: "almaty-range" });
const blockTrunk = entryRow("trunk:intl-1", "block", { directive: "almaty-trunk" });
const allowNumber = entryRow(foreign, "allow", { directive: "almaty-allow", reason: "appeal-upheld" });

const rows: Row[] = [
  // From and P-Asserted-Identity
  {
    title: "From blocked, asserted clean: block, reason from",
    national: [blockNumber],
    call: { callingNumber: foreign, assertedNumber: "+442071111111" },
    expected: { decision: "block", reason: "number", identity: "from" },
  },
  {
    title: "From clean, asserted blocked: block, reason asserted",
    national: [blockNumber],
    call: { callingNumber: "+442071111111", assertedNumber: foreign },
    expected: { decision: "block", reason: "number", identity: "asserted" },
  },
  {
    title: "From warned, asserted blocked: the strictest, reason asserted",
    national: [blockNumber, entryRow("+442071111111", "warn", { directive: "almaty-2" })],
    call: { callingNumber: "+442071111111", assertedNumber: foreign },
    expected: { decision: "block", directive: "almaty-1", identity: "asserted" },
  },
  {
    title: "From foreign, asserted a fixed Kazakh number from abroad: forged, reason asserted",
    call: { callingNumber: foreign, assertedNumber: fixed },
    expected: { decision: "block", reason: "forged", identity: "asserted" },
  },
  {
    title: "at home, From shows a bank, asserted is the truth: block, reason from",
    national: [bankRow],
    call: { callingNumber: bank, assertedNumber: mobile, trunk: "dom-2" },
    expected: { decision: "block", reason: "do-not-originate", identity: "from" },
  },
  {
    title: "an asserted identity that is allowed does not loosen a blocked From",
    national: [blockRange, entryRow("+442071111111", "allow", { directive: "almaty-allow" })],
    call: { callingNumber: foreign, assertedNumber: "+442071111111" },
    expected: { decision: "block", reason: "range", identity: "from" },
  },
  {
    title:
      "from abroad, an asserted identity that is allowed does not loosen a blocked trunk for a withheld From",
    national: [blockTrunk, allowNumber],
    call: { callingNumber: "", assertedNumber: foreign },
    expected: { decision: "block", reason: "trunk" },
  },
  {
    title: "at home the carrier's assertion stands for a withheld From",
    national: [entryRow("trunk:dom-1", "block"), entryRow(mobile, "allow", { directive: "almaty-allow" })],
    call: { callingNumber: "", assertedNumber: mobile, trunk: "dom-1" },
    expected: { decision: "allow", reason: "number", identity: "asserted", directive: "almaty-allow" },
  },
  {
    title: "a withheld From and a blocked asserted number: block",
    national: [blockNumber],
    call: { callingNumber: "anonymous", assertedNumber: foreign },
    expected: { decision: "block", identity: "asserted" },
  },
  {
    title: "both the same in different forms: judged once, as From",
    national: [entryRow(mobile, "block")],
    call: { callingNumber: `8${mobile.slice(2)}`, assertedNumber: `tel:${mobile}`, trunk: "dom-1" },
    expected: { decision: "block", identity: "from" },
  },

  // National table and overlay together
  {
    title: "the same target in both, tie: the national entry gives the reason",
    national: [entryRow(foreign, "block", { directive: "ulytau-1" })],
    overlay: [own(foreign, "block")],
    call: { callingNumber: foreign },
    expected: { decision: "block", directive: "ulytau-1" },
  },
  {
    title: "an overlay entry tightens at once",
    national: [entryRow(foreign, "warn")],
    overlay: [own(foreign, "block")],
    call: { callingNumber: foreign },
    expected: { decision: "block", directive: `${region}-1` },
  },
  {
    title: "an overlay entry does not loosen",
    national: [blockNumber],
    overlay: [own(foreign, "warn")],
    call: { callingNumber: foreign },
    expected: { decision: "block", directive: "almaty-1" },
  },
  {
    title: "an overlay allow loosens as rule 3 lets it: a national range",
    national: [blockRange],
    overlay: [own(foreign, "allow", { authorRole: "regional-prosecutor" })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", directive: `${region}-1` },
  },
  {
    title: "an overlay allow does not loosen a national block on the same number",
    national: [blockNumber],
    overlay: [own(foreign, "allow", { authorRole: "regional-prosecutor" })],
    call: { callingNumber: foreign },
    expected: { decision: "block", directive: "almaty-1" },
  },
  {
    title: "a held overlay directive is enforced nowhere",
    overlay: [own(foreign, "block", { missing: ["second-person"] })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "an override does nothing before the capital's decision",
    overlay: [own(foreign, "block", { overrideRevision: 7 })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "an own withdrawn directive hides the national entry that rests on it alone",
    national: [entryRow(foreign, "block", { directive: `${region}-1` })],
    overlay: [own(foreign, "block", { revision: 2, revoked: true })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "… but not one that others support too",
    national: [entryRow(foreign, "block", { directive: `${region}-1`, soleSupport: "" })],
    overlay: [own(foreign, "block", { revision: 2, revoked: true })],
    call: { callingNumber: foreign },
    expected: { decision: "block", directive: `${region}-1` },
  },
];

describe("two calling numbers, and two tables", () => {
  test.each(rows)("$title", ({ national = [], overlay = [], call, atMs, expected }) => {
    expect(judge(call, national, overlay, atMs)).toMatchObject(expected);
  });

  test("an operator's allow that a prosecutor has approved is a prosecutor's: it beats a range", () => {
    const overlay = overlayOf([own(foreign, "allow", { scope: "region", missing: ["second-person"] })]);
    const asked = () => {
      const call = { callingNumber: foreign, assertedNumber: "", calledNumber: "+77019990000" };
      const circumstances = { direction: "international", appealLines: new Set<string>() } as const;
      const question = callQuestion(
        { ...call, trunk: "intl-1", diversionNumber: "" },
        { ...circumstances, roaming: "unknown" },
      );
      return decide(question, collect(question, tableOf([blockRange]), overlay, nowMs)).decision;
    };
    expect(asked()).toBe("block");
    const value = { directive: `${region}-1`, revision: 1, batch: "", approved: true, complete: true };
    overlay.applyEvent({ body: { $case: "approval", value } }, { lane: "urgent", sequence: 2 });
    expect(asked()).toBe("allow");
  });
});
