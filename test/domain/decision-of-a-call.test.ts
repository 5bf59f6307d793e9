import { describe, expect, test } from "vitest";
import type { Decided } from "#domain/decision.ts";
import { isDirectiveReason, isForgedReason } from "#domain/decision.ts";
import type { NationalRow } from "#domain/national-rows.ts";
import type { OverlayDirective } from "#domain/overlay-events.ts";
import type { GivenCall } from "./given.ts";
import { appealLine, entryRow, judge, laterMs, nowMs, own, region } from "./given.ts";

const foreign = "+442079460958";
const foreignRange = "+442079460000-+442079469999";
const wideRange = "+442079000000-+442079999999";
const mobile = "+77012345678";
const fixed = "+77172123456";

interface Row {
  title: string;
  national?: NationalRow[];
  overlay?: OverlayDirective[];
  call: GivenCall;
  atMs?: number;
  expected: Partial<Decided>;
}

const blockNumber = entryRow(foreign, "block");
const blockRange = entryRow(foreignRange, "block", { directive: "almaty-range" });
const blockTrunk = entryRow("trunk:intl-1", "block", { directive: "almaty-trunk" });
const allowNumber = entryRow(foreign, "allow", { directive: "almaty-allow", reason: "appeal-upheld" });

const rows: Row[] = [
  // Rule 1: the called number
  {
    title: "nothing known: allow",
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match", directive: "", identity: "" },
  },
  {
    title: "a blocked caller dials 112: allow",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: "112" },
    expected: { decision: "allow", reason: "emergency", directive: "", withholdCallerId: false },
  },
  {
    title: "a forged caller dials 103: allow",
    call: { callingNumber: fixed, calledNumber: "103" },
    expected: { decision: "allow", reason: "emergency" },
  },
  {
    title: "a blocked caller dials +7112, as some switches write it: allow",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: "+7112" },
    expected: { decision: "allow", reason: "emergency" },
  },
  {
    title: "a blocked caller dials the emergency services as a SIP telephone does: allow",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: "urn:service:sos.ambulance" },
    expected: { decision: "allow", reason: "emergency" },
  },
  {
    title: "another service of that kind is no emergency",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: "urn:service:counseling" },
    expected: { decision: "block", reason: "number" },
  },
  {
    title: "a blocked caller dials a short code: allow",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: "1414" },
    expected: { decision: "allow", reason: "short-code" },
  },
  {
    title: "a blocked caller dials the appeal line in domestic form: allow",
    national: [blockNumber],
    call: { callingNumber: foreign, calledNumber: `8${appealLine.slice(2)}` },
    expected: { decision: "allow", reason: "appeal-line" },
  },
  {
    title: "a blocked trunk and an emergency call: allow",
    national: [blockTrunk],
    call: { callingNumber: foreign, calledNumber: "101" },
    expected: { decision: "allow", reason: "emergency" },
  },

  // Rule 2 and 4: collect, the strictest wins, the most specific gives the reason
  {
    title: "a blocked number: block, with its directive",
    national: [blockNumber],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "number", directive: "almaty-1", identity: "from" },
  },
  {
    title: "a blocked number in 00 form: block",
    national: [blockNumber],
    call: { callingNumber: `00${foreign.slice(1)}` },
    expected: { decision: "block", reason: "number" },
  },
  {
    title: "a blocked number in 810 form: block",
    national: [blockNumber],
    call: { callingNumber: `8~10 ${foreign.slice(1)}` },
    expected: { decision: "block", reason: "number" },
  },
  {
    title: "a number in a blocked range: block",
    national: [blockRange],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "range", directive: "almaty-range" },
  },
  {
    title: "a number just outside of a blocked range: allow",
    national: [blockRange],
    call: { callingNumber: "+442079470000" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "warn on the number, block on the range: block, reason range",
    national: [entryRow(foreign, "warn"), blockRange],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "range", directive: "almaty-range" },
  },
  {
    title: "block on number and range: the number gives the reason",
    national: [blockNumber, blockRange],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "number", directive: "almaty-1" },
  },
  {
    title: "two ranges that contain the number: the narrower gives the reason",
    national: [entryRow(wideRange, "block", { directive: "abai-wide" }), blockRange],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "range", directive: "almaty-range" },
  },
  {
    title: "divert is stricter than warn",
    national: [entryRow(foreign, "warn"), entryRow(wideRange, "divert", { directive: "abai-wide" })],
    call: { callingNumber: foreign },
    expected: { decision: "divert", reason: "range" },
  },
  {
    title: "block on a trunk is stricter than divert on the number",
    national: [entryRow(foreign, "divert"), blockTrunk],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "trunk", directive: "almaty-trunk", identity: "" },
  },
  {
    title: "a blocked trunk and a withheld number: block",
    national: [blockTrunk],
    call: { callingNumber: "anonymous" },
    expected: { decision: "block", reason: "trunk", identity: "" },
  },
  {
    title: "a block bound to another trunk: allow",
    national: [entryRow(`${foreign}@intl-2`, "block")],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "a block bound to this trunk: block, reason number-on-trunk before number",
    national: [blockNumber, entryRow(`${foreign}@intl-1`, "block", { directive: "almaty-bound" })],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "number-on-trunk", directive: "almaty-bound" },
  },
  {
    title: "a Kazakh number blocked on every international trunk",
    national: [entryRow(`${mobile}@international`, "block")],
    call: { callingNumber: mobile, roaming: "yes", trunk: "intl-2" },
    expected: { decision: "block", reason: "number-on-trunk" },
  },
  {
    title: "the same number at home: allow, its subscriber is not cut off",
    national: [entryRow(`${mobile}@international`, "block")],
    call: { callingNumber: mobile, trunk: "dom-1" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "an ended block: allow",
    national: [blockNumber],
    call: { callingNumber: foreign },
    atMs: laterMs,
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "observe changes nothing and is recorded",
    national: [entryRow(foreign, "observe", { directive: "almaty-watch" })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "no-match", directive: "", observed: ["almaty-watch"] },
  },
  {
    title: "observe beside a warning: the warning stands, both are recorded",
    national: [entryRow(foreign, "observe", { directive: "almaty-watch" }), entryRow(foreign, "warn")],
    call: { callingNumber: foreign },
    expected: { decision: "warn", reason: "number", directive: "almaty-1", observed: ["almaty-watch"] },
  },

  // Rule 3: an explicit allow
  {
    title: "a range block and an upheld appeal for one number in it: allow",
    national: [blockRange, allowNumber],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "number", directive: "almaty-allow" },
  },
  {
    title: "an allow on the number beats a blocked trunk",
    national: [blockTrunk, allowNumber],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "number", directive: "almaty-allow" },
  },
  {
    title: "an allow on the number does not beat a block on the same number",
    national: [blockNumber, allowNumber],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "number", directive: "almaty-1" },
  },
  {
    title: "an allow on the number on this trunk beats range and trunk",
    national: [blockRange, blockTrunk, entryRow(`${foreign}@intl-1`, "allow", { directive: "almaty-allow" })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "number-on-trunk", directive: "almaty-allow" },
  },
  {
    title: "an ended appeal beats nothing",
    national: [blockRange, entryRow(foreign, "allow", { directive: "almaty-allow", expiresAtMs: nowMs })],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "range" },
  },
  {
    title: "an operator's allow without a false stop beats nothing",
    national: [blockRange, entryRow(foreign, "allow", { directive: "almaty-allow", authorRole: "operator" })],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "range" },
  },
  {
    title: "an operator's allow after a false stop beats the directive that caused it",
    national: [blockNumber],
    overlay: [own(foreign, "allow", { scope: "region", falseStopOf: "almaty-1" })],
    call: { callingNumber: foreign },
    expected: { decision: "allow", reason: "number", directive: `${region}-1` },
  },
  {
    title: "… and no other directive on that number",
    national: [entryRow(foreign, "block", { directive: "almaty-2" })],
    overlay: [own(foreign, "allow", { scope: "region", falseStopOf: "almaty-1" })],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "number", directive: "almaty-2" },
  },
  {
    title: "an allow on number-on-trunk beats forged",
    national: [entryRow(`${fixed}@intl-1`, "allow", { directive: "almaty-allow" })],
    call: { callingNumber: fixed },
    expected: { decision: "allow", reason: "number-on-trunk", directive: "almaty-allow" },
  },
  {
    title: "an allow on the number everywhere does not beat forged",
    national: [entryRow(fixed, "allow", { directive: "almaty-allow" })],
    call: { callingNumber: fixed },
    expected: { decision: "block", reason: "forged", directive: "" },
  },
  {
    title: "an allow on number-on-trunk beats forged-unknown too, the number is shown",
    national: [entryRow(`${mobile}@international`, "allow", { directive: "almaty-allow" })],
    call: { callingNumber: mobile },
    expected: { decision: "allow", reason: "number-on-trunk", withholdCallerId: false },
  },
  {
    title: "an allow on the number does not beat forged-unknown",
    national: [entryRow(mobile, "allow")],
    call: { callingNumber: mobile },
    expected: { decision: "warn", reason: "forged-unknown", withholdCallerId: true },
  },
];

describe("the decision about a call", () => {
  test.each(rows)("$title", ({ national = [], overlay = [], call, atMs, expected }) => {
    expect(judge(call, national, overlay, atMs)).toMatchObject(expected);
  });

  test("everything collected is given for the explanation, the rule among it", () => {
    const { matches } = judge(
      { callingNumber: fixed },
      [entryRow(fixed, "warn"), blockTrunk],
      [own(fixed, "divert")],
    );
    expect(matches.map(({ table, action, reason }) => [table, action, reason])).toEqual([
      ["national", "warn", "fraud"],
      ["overlay", "divert", "fraud"],
      ["rule", "block", "forged"],
      ["national", "block", "fraud"],
    ]);
  });

  test("forged calls and intercepted calls are told apart by the reason", () => {
    expect(
      ["forged", "do-not-originate", "forged-unknown", "number", "no-match"].filter(isForgedReason),
    ).toEqual(["forged", "do-not-originate"]);
    expect(
      ["number-on-trunk", "number", "range", "trunk", "forged", "protected"].filter(isDirectiveReason),
    ).toEqual(["number-on-trunk", "number", "range", "trunk"]);
  });
});
