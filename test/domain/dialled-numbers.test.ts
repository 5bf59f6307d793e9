import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidInput } from "#domain/invalid-input.ts";
import {
  dialledText,
  isKazakh,
  numberClass,
  parseDialled,
  parseE164,
  parseNorthAmerican,
} from "#domain/number.ts";

const oneNumber = "+77012345678";

describe("a number in any dialled form", () => {
  test.each([
    "+77012345678",
    "87012345678",
    "8 (701) 234-56-78",
    "77012345678",
    "7012345678",
    "701 234 56 78",
    "81077012345678",
    "8~10 7 701 2345678",
    "0077012345678",
    "+7\u00a0701\u2011234\u201156\u201178",
    "\u202a+77012345678\u202c",
    "tel:+7-701-234-56-78",
    "tel:+77012345678;phone-context=x",
    "sip:+77012345678@sbc.example.kz;user=phone",
    "<sip:87012345678@10.0.0.1>",
    '"A bank" <sip:+77012345678@10.0.0.1>;tag=1',
    '"<sip:+442079460958@x>" <sip:+77012345678@10.0.0.1>',
    "sip:+77012345678:secret@10.0.0.1",
    "sip:%2B7%37012345678@10.0.0.1",
    "sip:+77012345678,,1@10.0.0.1",
  ])("%j is one number", (text) => {
    expect(parseDialled(text)).toEqual({ kind: "e164", number: oneNumber });
  });

  test.each([
    ["442079460958", "+442079460958"],
    ["00442079460958", "+442079460958"],
    ["810442079460958", "+442079460958"],
    ["+1 (415) 555-2671", "+14155552671"],
    ["14155552671", "+14155552671"],
    ["8613800138000", "+8613800138000"],
    ["9161234567", "+79161234567"],
  ])("%j is %s", (text, number) => {
    expect(parseDialled(text)).toEqual({ kind: "e164", number });
  });

  test.each(["101", "102", "103", "112", "1414", "11"])("%s is a short code", (code) => {
    expect(parseDialled(code)).toEqual({ kind: "short", code });
  });

  test.each(["", "  ", "anonymous", "Restricted", "sip:anonymous@anonymous.invalid"])(
    "%j is withheld",
    (text) => {
      expect(parseDialled(text)).toEqual({ kind: "withheld" });
    },
  );

  test.each([
    "+7701234567",
    "+770123456789",
    "+",
    "++77012345678",
    "7701abc4567",
    "12345",
    "+0123456789",
    "BANK",
    "+123456",
    "+1234567890123456",
  ])("%j is unknown, and kept as it came", (text) => {
    expect(parseDialled(text)).toEqual({ kind: "unknown", text });
  });

  test("reading never throws, whatever the text", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.string({ unit: fc.constantFrom(...Array.from("+0123456789 -()~;@<>:telsip")), maxLength: 40 }),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const read = parseDialled(text);
        expect(parseDialled(dialledText(read))).toEqual(read);
      }),
      { numRuns: 5_000 },
    );
  });

  test("every form of a Kazakh number gives the same, and reading the result again changes nothing", () => {
    const national = fc.stringMatching(/^[1-9][0-9]{9}$/);
    const form = fc.constantFrom("+7", "8", "", "7", "8107", "007");
    fc.assert(
      fc.property(national, form, (digits, prefix) => {
        fc.pre(!(prefix === "8" && digits.startsWith("10")) && !(prefix === "" && digits.startsWith("810")));
        const read = parseDialled(`${prefix}${digits}`);
        expect(read).toEqual({ kind: "e164", number: `+7${digits}` });
        expect(parseDialled(dialledText(read))).toEqual(read);
      }),
    );
  });
});

describe("one number that a person gives", () => {
  test("letters, short codes and nonsense are refused with field, value and remedy", () => {
    for (const text of ["7701abc4567", "112", "", "+7701"]) {
      let thrown: unknown;
      try {
        parseE164("number", text);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(InvalidInput);
      expect(thrown).toMatchObject({ code: "invalid-number", field: "number", value: text });
      expect((thrown as InvalidInput).remedy).toContain("+77012345678");
    }
  });

  test("American data give ten digits, and nonsense among them is refused", () => {
    expect(parseNorthAmerican("number", "2025550143")).toBe("+12025550143");
    expect(parseNorthAmerican("number", "1 (202) 555-0143")).toBe("+12025550143");
    for (const text of ["0000000000", "1234567890", "202555014", "20255501433", ""]) {
      expect(() => parseNorthAmerican("number", text)).toThrow(InvalidInput);
    }
  });
});

describe("whose a number is", () => {
  test.each([
    ["+77012345678", "kz-mobile"],
    ["+77512345678", "kz-mobile"],
    ["+77032345678", "kz-mobile"],
    ["+77802345678", "kz-mobile"],
    ["+77172123456", "kz-fixed"],
    ["+77277212345", "kz-fixed"],
    ["+77253312345", "kz-fixed"],
    ["+78001234567", "kz-special"],
    ["+76001234567", "kz-special"],
    ["+70001234567", "kz-special"],
    ["+77191234567", "kz-special"],
    ["+78011234567", "kz-shared"],
    ["+78811234567", "kz-shared"],
    ["+71991234567", "kz-shared"],
    ["+79161234567", "foreign"],
    ["+74951234567", "foreign"],
    ["+78801234567", "foreign"],
    ["+442079460958", "foreign"],
  ])("%s is %s", (number, expected) => {
    expect(numberClass(number)).toBe(expected);
  });

  test("+7 alone is never the test for ours", () => {
    expect(["+77012345678", "+76001234567", "+70001234567"].every(isKazakh)).toBe(true);
    expect(["+79161234567", "+78001234567", "+442079460958"].some(isKazakh)).toBe(false);
  });
});
