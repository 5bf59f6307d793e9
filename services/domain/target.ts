import { InvalidInput } from "./invalid-input.ts";
import { numberClass, parseDialled, parseE164 } from "./number.ts";
import { internationalWord, isTrunkId, parseTrunkId } from "./trunk.ts";

/** What a directive is about. */
export type Target =
  | { kind: "number"; number: string }
  /** All numbers from `from` to `to`, both included, of the same length. */
  | { kind: "range"; from: string; to: string }
  | { kind: "trunk"; trunk: string }
  /** A number while it is shown on one trunk, or on every `international` one. */
  | { kind: "number-on-trunk"; number: string; trunk: string };

export const targetKinds = ["number", "range", "trunk", "number-on-trunk"] as const;
export type TargetKind = Target["kind"];

const trunkPrefix = "trunk:";

/**
 * The canonical key: `+77012345678`, `+44200000000-+44299999999`,
 * `trunk:intl-1`, `+77012345678@intl-1`. Protos, SQL and JSON carry targets in this form.
 */
export function targetKey(target: Target): string {
  switch (target.kind) {
    case "number":
      return target.number;
    case "range":
      return `${target.from}-${target.to}`;
    case "trunk":
      return `${trunkPrefix}${target.trunk}`;
    case "number-on-trunk":
      return `${target.number}@${target.trunk}`;
  }
}

const numberKey = /^\+[1-9][0-9]{6,14}$/u;
const rangeKey = /^(\+[1-9][0-9]{6,14})-(\+[1-9][0-9]{6,14})$/u;

/**
 * Reads a canonical key; only what targetKey writes is accepted.
 * @throws InvalidInput `invalid-target`
 */
export function parseTargetKey(key: string): Target {
  const target = readTargetKey(key);
  if (target === undefined) {
    throw new InvalidInput({
      code: "invalid-target",
      field: "target",
      value: key,
      message: "is not a canonical target key",
      remedy: "Give +77012345678, +44200000000-+44299999999, trunk:intl-1 or +77012345678@intl-1.",
    });
  }
  return target;
}

/** Reads a canonical key; undefined for anything else (a newer release's kind of target, for one). */
export function readTargetKey(key: string): Target | undefined {
  if (key.startsWith(trunkPrefix)) {
    const trunk = key.slice(trunkPrefix.length);
    return isTrunkId(trunk) ? { kind: "trunk", trunk } : undefined;
  }
  const at = key.indexOf("@");
  if (at >= 0) {
    const number = key.slice(0, at);
    const trunk = key.slice(at + 1);
    const fits = isCanonicalNumber(number) && (trunk === internationalWord || isTrunkId(trunk));
    return fits ? { kind: "number-on-trunk", number, trunk } : undefined;
  }
  const range = rangeKey.exec(key);
  if (range !== null) {
    const [, from = "", to = ""] = range;
    const fits = isCanonicalNumber(from) && isCanonicalNumber(to) && from.length === to.length && from <= to;
    return fits ? { kind: "range", from, to } : undefined;
  }
  return isCanonicalNumber(key) ? { kind: "number", number: key } : undefined;
}

/** A number that parseE164 gives back unchanged: +7 has exactly eleven digits. */
function isCanonicalNumber(text: string): boolean {
  return numberKey.test(text) && (!text.startsWith("+7") || text.length === 12);
}

/** A target as people give it: a number, a range, a trunk, or a number on a trunk; absent or empty fields are not given. */
export interface TargetInput {
  number?: string | undefined;
  /** `A-B`, or a prefix such as `+4420*`. */
  range?: string | undefined;
  trunk?: string | undefined;
}

/**
 * Reads a target from what a person gave, in any dialled form.
 * @throws InvalidInput `invalid-target` for a wrong combination, `invalid-number`, `invalid-range`, `invalid-trunk`
 */
export function targetFrom(input: TargetInput): Target {
  const number = input.number ?? "";
  const range = input.range ?? "";
  const trunk = input.trunk ?? "";
  if (range !== "" && number === "" && trunk === "") {
    return rangeFrom(range);
  }
  if (range !== "" || (number === "" && trunk === "")) {
    throw new InvalidInput({
      code: "invalid-target",
      field: "target",
      value: [number, range, trunk].filter((part) => part !== "").join(" "),
      message: range === "" ? "is missing" : "a range stands alone",
      remedy: "Give a number, a range, a trunk, or a number and a trunk together.",
    });
  }
  if (number === "") {
    return { kind: "trunk", trunk: parseTrunkId("trunk", trunk) };
  }
  const e164 = parseE164("number", number);
  if (trunk === "") {
    return { kind: "number", number: e164 };
  }
  const where = trunk === internationalWord ? trunk : parseTrunkId("trunk", trunk);
  return { kind: "number-on-trunk", number: e164, trunk: where };
}

function rangeFrom(text: string): Target {
  return text.trimEnd().endsWith("*") ? rangeFromPrefix(text) : rangeFromEnds(text);
}

function rangeFromEnds(text: string): Target {
  const ends = splitEnds(text);
  if (ends === undefined) {
    throw invalidRange(text, "is not a range", "Give its first and last number: +77010000000-+77010000099.");
  }
  const { from, to } = ends;
  if (from.length !== to.length) {
    throw invalidRange(
      text,
      "begins and ends with numbers of different length",
      "Give two numbers of the same length.",
    );
  }
  if (from > to) {
    throw invalidRange(text, "goes from high to low", `Give the lower number first: ${to}-${from}.`);
  }
  return { kind: "range", from, to };
}

/** Hyphens also stand inside numbers, so each one is tried as the divider, the middle ones first. */
function splitEnds(text: string): { from: string; to: string } | undefined {
  const dividers = [...text.matchAll(/\s*[-–—]\s*|\.\.+/gu)];
  const middle = text.length / 2;
  dividers.sort((left, right) => Math.abs(left.index - middle) - Math.abs(right.index - middle));
  for (const divider of dividers.slice(0, dividersMax)) {
    const from = parseDialled(text.slice(0, divider.index));
    const to = parseDialled(text.slice(divider.index + divider[0].length));
    if (from.kind === "e164" && to.kind === "e164") {
      return { from: from.number, to: to.number };
    }
  }
  return undefined;
}

/** More hyphens than this are in no two numbers of fifteen digits. */
const dividersMax = 32;

/**
 * Digits of a whole number, country code included, where a country has one
 * usual length (ITU-T E.164 national numbering plans). Without it a prefix
 * does not say which numbers it means.
 */
const numberDigits: Readonly<Record<string, number>> = {
  ...{ "1": 11, "7": 11, "20": 12, "31": 11, "32": 11, "33": 11, "34": 11, "40": 11, "44": 12, "48": 11 },
  ...{ "84": 11, "86": 13, "90": 12, "91": 12, "92": 12, "98": 12, "370": 11, "371": 11, "373": 11 },
  ...{ "374": 11, "375": 12, "380": 12, "420": 12, "966": 12, "971": 12, "972": 12, "992": 12 },
  ...{ "993": 11, "994": 12, "995": 12, "996": 12, "998": 12 },
};

function rangeFromPrefix(text: string): Target {
  const prefix = text
    .trim()
    .slice(0, -1)
    .replaceAll(/[\s\-().]/gu, "");
  if (!/^\+[1-9][0-9]{0,13}$/u.test(prefix)) {
    throw invalidRange(text, "is not a prefix", "Give + with country code and first digits, then *: +4420*.");
  }
  const digits = prefix.slice(1);
  const length = [3, 2, 1]
    .map((size) => numberDigits[digits.slice(0, size)])
    .find((found) => found !== undefined);
  if (length === undefined || digits.length > length) {
    throw invalidRange(
      text,
      "leaves open how long its numbers are",
      `Give the first and the last number: ${prefix}000000-${prefix}999999.`,
    );
  }
  return { kind: "range", from: `+${digits.padEnd(length, "0")}`, to: `+${digits.padEnd(length, "9")}` };
}

function invalidRange(value: string, message: string, remedy: string): InvalidInput {
  return new InvalidInput({ code: "invalid-range", field: "range", value, message, remedy });
}

/** How many numbers a range has; exact, since 15 digits are below 2^53. */
export function rangeSize(range: { from: string; to: string }): number {
  return Number(range.to.slice(1)) - Number(range.from.slice(1)) + 1;
}

/** Whether an E.164 number lies in a range. */
export function rangeContains(range: { from: string; to: string }, number: string): boolean {
  return number.length === range.from.length && range.from <= number && number <= range.to;
}

/**
 * Whose numbers a target means. Ranges of +7 that Kazakhstan shares with Russia
 * count as Kazakhstan's: powers must be the narrower ones where it may be ours.
 * `mixed`: a range with both; `none`: a trunk names no number.
 */
export function targetNation(target: Target): "kz" | "foreign" | "mixed" | "none" {
  switch (target.kind) {
    case "trunk":
      return "none";
    case "number":
    case "number-on-trunk":
      return maybeKazakh(target.number) ? "kz" : "foreign";
    case "range":
      return rangeNation(target);
  }
}

function maybeKazakh(number: string): boolean {
  return numberClass(number) !== "foreign";
}

/** The class depends on the first three digits after +7 alone, so one number for each such code is enough. */
function rangeNation(range: { from: string; to: string }): "kz" | "foreign" | "mixed" {
  if (range.to < "+7" || range.from >= "+8") {
    return "foreign";
  }
  if (!range.from.startsWith("+7") || !range.to.startsWith("+7")) {
    return "mixed";
  }
  let ours = false;
  let others = false;
  for (let code = Number(range.from.slice(2, 5)); code <= Number(range.to.slice(2, 5)); code++) {
    const kazakh = maybeKazakh(`+7${String(code).padStart(3, "0")}0000000`);
    ours ||= kazakh;
    others ||= !kazakh;
  }
  if (!ours) {
    return "foreign";
  }
  return others ? "mixed" : "kz";
}
