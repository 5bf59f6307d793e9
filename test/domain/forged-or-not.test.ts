import { describe, expect, test } from "vitest";
import type { Decided } from "#domain/decision.ts";
import type { NationalRow } from "#domain/national-rows.ts";
import type { GivenCall } from "./given.ts";
import { entryRow, judge, protectedRow } from "./given.ts";

const foreign = "+442079460958";
const mobile = "+77012345678";
const fixed = "+77172123456";
const bank = "+77272500000";
const russian = "+79161234567";

interface Row {
  title: string;
  national?: NationalRow[];
  call: GivenCall;
  expected: Partial<Decided>;
}

const bankRow = protectedRow(bank, "dom-1");
const blockNumber = entryRow(foreign, "block");

const rows: Row[] = [
  // Rule 5: protected numbers
  {
    title: "a bank's number on an international trunk: block",
    national: [bankRow],
    call: { callingNumber: bank },
    expected: { decision: "block", reason: "forged", identity: "from" },
  },
  {
    title: "a bank's number on its own trunk: allow",
    national: [bankRow],
    call: { callingNumber: bank, trunk: "dom-1" },
    expected: { decision: "allow", reason: "protected" },
  },
  {
    title: "a bank's number on another domestic trunk: do not originate, block",
    national: [bankRow],
    call: { callingNumber: bank, trunk: "dom-2" },
    expected: { decision: "block", reason: "do-not-originate" },
  },
  {
    title: "a bank's number is no target on its own trunk",
    national: [
      bankRow,
      entryRow(bank, "block"),
      entryRow("+77272500000-+77272509999", "block"),
      entryRow(`${bank}@dom-1`, "warn"),
    ],
    call: { callingNumber: bank, trunk: "dom-1" },
    expected: { decision: "allow", reason: "protected" },
  },
  {
    title: "protection is no passport: a directive about the whole trunk stands",
    national: [bankRow, entryRow("trunk:dom-1", "divert")],
    call: { callingNumber: bank, trunk: "dom-1" },
    expected: { decision: "divert", reason: "trunk" },
  },
  {
    title: "a bank's mobile number from abroad: block without asking",
    national: [protectedRow(mobile, "dom-1")],
    call: { callingNumber: mobile, roaming: "yes" },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "a bank's number diverted from abroad is still forged",
    national: [bankRow],
    call: { callingNumber: bank, diversionNumber: foreign },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "a protected foreign number elsewhere: do not originate",
    national: [protectedRow(foreign, "intl-2")],
    call: { callingNumber: foreign },
    expected: { decision: "block", reason: "do-not-originate" },
  },
  {
    title: "an allow on the bank's number everywhere does not beat do-not-originate",
    national: [bankRow, entryRow(bank, "allow")],
    call: { callingNumber: bank },
    expected: { decision: "block", reason: "forged" },
  },

  // Forged or not
  {
    title: "a fixed Kazakh number from abroad: block",
    call: { callingNumber: fixed },
    expected: { decision: "block", reason: "forged", directive: "", identity: "from" },
  },
  {
    title: "a fixed Kazakh number from abroad in domestic form: block",
    call: { callingNumber: "8 (7172) 12-34-56" },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "a fixed Kazakh number at home: allow",
    call: { callingNumber: fixed, trunk: "dom-1" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "an 800 number from abroad: block",
    call: { callingNumber: "+78001234567" },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "a short code from abroad: block",
    call: { callingNumber: "102" },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "an unallocated Kazakh number from abroad: block",
    call: { callingNumber: "+76001234567" },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "a mobile from abroad, nobody knows whether it roams: warn, number withheld",
    call: { callingNumber: mobile },
    expected: { decision: "warn", reason: "forged-unknown", withholdCallerId: true, identity: "from" },
  },
  {
    title: "a mobile from abroad that roams: allow",
    call: { callingNumber: mobile, roaming: "yes" },
    expected: { decision: "allow", reason: "no-match", withholdCallerId: false },
  },
  {
    title: "a mobile from abroad that is at home: block",
    call: { callingNumber: mobile, roaming: "no" },
    expected: { decision: "block", reason: "forged" },
  },
  ...["703", "704", "750", "780"].map((code): Row => ({
    title: `a code unknown to libphonenumber (${code}) is mobile, never blocked for it`,
    call: { callingNumber: `+7${code}1234567` },
    expected: { decision: "warn", reason: "forged-unknown" },
  })),
  {
    title: "+7 9xx is Russian, not forged",
    call: { callingNumber: russian },
    expected: { decision: "allow", reason: "no-match", withholdCallerId: false },
  },
  {
    title: "a +7 number of a range shared with Russia is not forged",
    call: { callingNumber: "+78091234567" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "a mobile diverted from abroad: warn",
    call: { callingNumber: mobile, diversionNumber: foreign },
    expected: { decision: "warn", reason: "diverted-from-abroad", withholdCallerId: false },
  },
  {
    title: "a fixed number diverted from abroad: warn",
    call: { callingNumber: fixed, diversionNumber: russian },
    expected: { decision: "warn", reason: "diverted-from-abroad" },
  },
  {
    title: "a mobile at home by its operator, diverted from abroad: warn, it called somebody abroad",
    call: { callingNumber: mobile, diversionNumber: foreign, roaming: "no" },
    expected: { decision: "warn", reason: "diverted-from-abroad" },
  },
  {
    title: "a mobile that roams and diverts: allow",
    call: { callingNumber: mobile, diversionNumber: foreign, roaming: "yes" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "a diversion by a Kazakh number excuses nothing",
    call: { callingNumber: fixed, diversionNumber: mobile },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "an unallocated number diverted from abroad: block, nobody calls from it",
    call: { callingNumber: "+76001234567", diversionNumber: foreign },
    expected: { decision: "block", reason: "forged" },
  },
  {
    title: "warn on a number and forged: block",
    national: [entryRow(fixed, "warn")],
    call: { callingNumber: fixed },
    expected: { decision: "block", reason: "forged", directive: "" },
  },
  {
    title: "block on a number and forged: the directive gives the reason",
    national: [entryRow(fixed, "block")],
    call: { callingNumber: fixed },
    expected: { decision: "block", reason: "number", directive: "almaty-1" },
  },
  {
    title: "warn on a mobile and forged-unknown: the directive gives the reason, the number is withheld",
    national: [entryRow(mobile, "warn")],
    call: { callingNumber: mobile },
    expected: { decision: "warn", reason: "number", directive: "almaty-1", withholdCallerId: true },
  },
  {
    title: "block and forged-unknown: block, nothing to withhold",
    national: [entryRow(mobile, "block")],
    call: { callingNumber: mobile },
    expected: { decision: "block", reason: "number", withholdCallerId: false },
  },
  {
    title: "a trunk that is not known: directives count, nothing is called forged",
    national: [blockNumber],
    call: { callingNumber: fixed, trunk: "new-1" },
    expected: { decision: "allow", reason: "no-match" },
  },
  {
    title: "letters instead of a number from abroad: allow",
    call: { callingNumber: "BANK" },
    expected: { decision: "allow", reason: "no-match" },
  },
];

describe("forged or not", () => {
  test.each(rows)("$title", ({ national = [], call, expected }) => {
    expect(judge(call, national, [])).toMatchObject(expected);
  });
});
