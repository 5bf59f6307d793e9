import { InvalidInput } from "./invalid-input.ts";
import { fixedAreaCodes, mobileCodes } from "./kazakh-codes.ts";

/** A number as it was dialled or shown, after normalisation. */
export type Dialled =
  /** `+` and 7 to 15 digits (ITU-T E.164). */
  | { kind: "e164"; number: string }
  /** A short code, 2 to 4 digits: no E.164 number, known inside Kazakhstan only. */
  | { kind: "short"; code: string }
  /** Nothing was shown, or a word that says so (RFC 3323 `anonymous`). */
  | { kind: "withheld" }
  /** Anything else, as it came. */
  | { kind: "unknown"; text: string };

/** Whose a number is and what kind (domain.md, "Telephone numbers"). */
export type NumberClass =
  | "kz-mobile"
  | "kz-fixed"
  /** Kazakh, and no subscriber calls from it: 800, unallocated. */
  | "kz-special"
  /** A range of +7 that Kazakhstan and Russia share. */
  | "kz-shared"
  | "foreign";

const digitsMin = 7;
const digitsMax = 15;
/** National (significant) number of +7: always ten digits. */
const zoneSevenDigits = 10;

const withheldWords = new Set(["anonymous", "unavailable", "restricted", "private", "withheld", "unknown"]);
/** What people and switches write between digits: spaces, hyphens, dots, brackets, slashes, tilde (8~10), marks of direction. */
const punctuation = /[\s\-.()/~_\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060\ufeff]/gu;
const onlyDigits = /^[0-9]+$/;

/**
 * Reads a number in any dialled form: `+7…`, `8…` (domestic trunk prefix),
 * `810…` and `00…` (international prefixes), ten digits, E.164 without plus,
 * `tel:` and `sip:` addresses, short codes. Never throws, whatever the text.
 * What is canonical stays as it is.
 */
export function parseDialled(text: string): Dialled {
  const bare = text.replace(punctuation, "");
  const plain =
    onlyDigits.test(bare) || bare.startsWith("+") ? bare : userPart(text).replace(punctuation, "");
  if (plain === "" || withheldWords.has(plain.toLowerCase())) {
    return { kind: "withheld" };
  }
  const international = plain.startsWith("+");
  const digits = international ? plain.slice(1) : plain;
  if (!onlyDigits.test(digits)) {
    return { kind: "unknown", text };
  }
  return (international ? fromInternational(digits) : fromDigits(digits)) ?? { kind: "unknown", text };
}

/** Where an address begins: at once, or in angle brackets, after a display name too (RFC 3261, section 20.10). */
const addressStart = /^\s*(?:tel|sips?):|^.*<\s*(?:tel|sips?):/isu;

/**
 * The user part of a `tel:` or `sip:` address (RFC 3966, RFC 3261), without
 * display name, password and escapes: whoever writes the address must not hide
 * a number behind them. Any other text as it is.
 */
function userPart(text: string): string {
  const start = addressStart.exec(text);
  if (start === null) {
    return text;
  }
  const user = text.slice(start[0].length).split(/[@;:,>?]/u, 1)[0] ?? "";
  return user.replaceAll(/%([2-7][0-9a-f])/giu, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** Digits that begin with a country code. */
function fromInternational(digits: string): Dialled | undefined {
  if (digits.startsWith("7")) {
    if (digits.length === 1 + zoneSevenDigits) {
      return { kind: "e164", number: `+${digits}` };
    }
    // Some switches put the country code before a short code: +7112.
    const code = digits.slice(1);
    return code.length === 3 || code.length === 4 ? { kind: "short", code } : undefined;
  }
  const fits = digits.length >= digitsMin && digits.length <= digitsMax && !digits.startsWith("0");
  return fits ? { kind: "e164", number: `+${digits}` } : undefined;
}

/** Digits without a plus: which prefix was dialled shows in their first digits and in their count. */
function fromDigits(digits: string): Dialled | undefined {
  if (digits.length >= 2 && digits.length <= 4) {
    return { kind: "short", code: digits };
  }
  if (digits.startsWith("00")) {
    return fromInternational(digits.slice(2));
  }
  // +7 10x is assigned to nobody, so that 8 10 is always the way abroad.
  if (digits.startsWith("810")) {
    return fromInternational(digits.slice(3));
  }
  if (digits.length === zoneSevenDigits) {
    return { kind: "e164", number: `+7${digits}` };
  }
  if (digits.length === 1 + zoneSevenDigits && digits.startsWith("8")) {
    return { kind: "e164", number: `+7${digits.slice(1)}` };
  }
  return digits.length > zoneSevenDigits ? fromInternational(digits) : undefined;
}

/** The canonical text of a dialled number; reading it again gives the same. */
export function dialledText(dialled: Dialled): string {
  switch (dialled.kind) {
    case "e164":
      return dialled.number;
    case "short":
      return dialled.code;
    case "withheld":
      return "";
    case "unknown":
      return dialled.text;
  }
}

/**
 * One E.164 number from any dialled form.
 * @throws InvalidInput `invalid-number`
 */
export function parseE164(field: string, text: string): string {
  const dialled = parseDialled(text);
  if (dialled.kind !== "e164") {
    throw new InvalidInput({
      code: "invalid-number",
      field,
      value: text,
      message:
        dialled.kind === "short" ? "is a short code, not a subscriber's number" : "is not a telephone number",
      remedy: "Give a number such as +77012345678, 87012345678 or +442079460958: digits only, no letters.",
    });
  }
  return dialled.number;
}

/**
 * A number of the North American plan from ten digits (or eleven with 1), as
 * American data write it: area code and exchange begin with 2 to 9 (ATIS
 * numbering plan), which refuses such nonsense as 0000000000.
 * @throws InvalidInput `invalid-number`
 */
export function parseNorthAmerican(field: string, text: string): string {
  const digits = text.replace(punctuation, "").replace(/^\+?1(?=[0-9]{10}$)/u, "");
  if (!/^[2-9][0-9]{2}[2-9][0-9]{6}$/u.test(digits)) {
    throw new InvalidInput({
      code: "invalid-number",
      field,
      value: text,
      message: "is not a number of the North American plan",
      remedy: "Give ten digits; area code and exchange begin with 2 to 9.",
    });
  }
  return `+1${digits}`;
}

/**
 * Whether an E.164 number is Kazakhstan's own: +7 and then 0, 6 or 7. Ranges
 * shared with Russia are not: see numberClass.
 */
export function isKazakh(number: string): boolean {
  if (!number.startsWith("+7")) {
    return false;
  }
  const third = number[2];
  return third === "0" || third === "6" || third === "7";
}

/** The class of an E.164 number. "Unallocated" comes from our own table of codes, never from a validity library. */
export function numberClass(number: string): NumberClass {
  if (!number.startsWith("+7")) {
    return "foreign";
  }
  const code = number.slice(2, 5);
  if (mobileCodes.has(code)) {
    return "kz-mobile";
  }
  if (fixedAreaCodes.has(code)) {
    return "kz-fixed";
  }
  if (code === "800" || isKazakh(number)) {
    return "kz-special";
  }
  return isSharedCode(Number(code)) ? "kz-shared" : "foreign";
}

/** Codes after +7 that Kazakhstan and Russia share: 100-199, 800-809, 881-899. */
function isSharedCode(code: number): boolean {
  return (code >= 100 && code <= 199) || (code >= 800 && code <= 809) || (code >= 881 && code <= 899);
}
