import { z } from "zod";
import { digitRunMax, longestDigitRun } from "./digit-runs.ts";
import { InvalidInput, parseWord } from "./invalid-input.ts";
import { parseE164 } from "./number.ts";
import { isTrunkId } from "./trunk.ts";

/** Kinds of intelligence (domain.md, "Words used in the code"). */
export const intelligenceKinds = [
  "number",
  "device",
  "sim-box",
  "wallet",
  "drop-card",
  "script",
  "deepfake",
  "leak",
  "call-centre",
] as const;
export type IntelligenceKind = (typeof intelligenceKinds)[number];

/** TLP 2.0: what its readers may do with it. */
export const markings = ["red", "amber+strict", "amber", "green", "clear"] as const;
export const intelligenceSources = [
  "operator",
  "citizen-report",
  "detection",
  "carrier",
  "bank",
  "partner",
  "law-enforcement",
] as const;

/** Who receives a piece. */
export type Audience = { kind: "region" } | { kind: "all" } | { kind: "regions"; regions: readonly string[] };

const namedRegionsMax = 50;
const textMax = { fieldsCharacters: 8_000, wordingCharacters: 4_000, noteCharacters: 10_000 } as const;

/** An E.164 number in any dialled form; kept in the canonical one. */
const number = z.string().transform((text, context) => {
  try {
    return parseE164("number", text);
  } catch {
    context.addIssue({ code: "custom", message: "expected a telephone number such as +77011234567" });
    return z.NEVER;
  }
});
/** 14 digits and a Luhn check digit (3GPP TS 23.003, 6.2.1). */
const imei = z
  .string()
  .regex(/^\d{15}$/u, "expected 15 digits")
  .refine(hasLuhnDigit, "expected an IMEI: its last digit does not fit the others");
/** A proper name: of a city, a bank, a program. No room for a sentence. */
const name = z
  .string()
  .regex(/^[\p{L}\p{M}][\p{L}\p{M}\p{N} .'’&-]{0,59}$/u, "expected a name of at most 60 letters")
  .refine((text) => longestDigitRun(text) <= digitRunMax, "expected a name, no number");
const country = z.string().regex(/^[A-Z]{2}$/u, "expected two capital letters (ISO 3166-1)");
const count = z.coerce.number().int().min(0).max(1e12);
const trunk = z.string().refine(isTrunkId, "expected the id of one trunk such as intl-1");

/** A list, or words separated by commas: the command line gives texts. */
function listOf<Item extends z.ZodType<unknown, string>>(item: Item, itemsMax: number) {
  const split = (value: unknown) =>
    typeof value === "string" ? value.split(",").map((each) => each.trim()) : value;
  return z.preprocess(split, z.array(item).min(1).max(itemsMax));
}

/** The fields of each kind; whatever is not named is refused, so that no free text travels in them. */
const fieldsOf = {
  number: z.strictObject({ number, use: z.enum(["calls", "sms", "messenger", "call-back"]).optional() }),
  device: z.strictObject({ imei, model: name.optional() }),
  "sim-box": z
    .strictObject({
      imei: imei.optional(),
      numbers: listOf(number, 200).optional(),
      trunk: trunk.optional(),
      city: name.optional(),
      slots: count.optional(),
    })
    .refine((fields) => Object.keys(fields).length > 0, "expected at least one field"),
  wallet: z.strictObject({
    network: z.enum(["bitcoin", "ethereum", "tron", "ton", "solana", "other"]),
    address: z.string().regex(/^[A-Za-z0-9:_-]{20,120}$/u, "expected 20 to 120 letters and digits"),
  }),
  "drop-card": z.strictObject({
    bin: z.string().regex(/^\d{6,8}$/u, "expected the first 6 to 8 digits"),
    lastFour: z.string().regex(/^\d{4}$/u, "expected the last four digits"),
    bank: name.optional(),
  }),
  script: z.strictObject({
    language: z.enum(["kk", "ru", "en", "other"]),
    pretext: z.enum([
      "bank-security",
      "police",
      "prosecutor",
      "carrier",
      "delivery",
      "relative",
      "investment",
      "public-service",
      "other",
    ]),
  }),
  deepfake: z.strictObject({
    medium: z.enum(["voice", "video", "voice-and-video"]),
    impersonates: z.enum(["relative", "official", "bank", "employer", "celebrity", "other"]).optional(),
    software: name.optional(),
  }),
  leak: z.strictObject({
    holder: name,
    contents: listOf(
      z.enum(["names", "numbers", "addresses", "identity-documents", "accounts", "health"]),
      10,
    ),
    records: count.optional(),
  }),
  "call-centre": z.strictObject({
    country,
    city: name.optional(),
    latitude: z.coerce.number().min(-90).max(90).optional(),
    longitude: z.coerce.number().min(-180).max(180).optional(),
    carriers: listOf(name, 20).optional(),
  }),
} as const satisfies Record<IntelligenceKind, z.ZodType>;

/** @throws InvalidInput `unknown-value` */
export function parseKind(text: string): IntelligenceKind {
  return parseWord(intelligenceKinds, "kind", text);
}

/**
 * Reads the fields of a kind.
 *
 * @returns canonical JSON: known fields alone, by name
 * @throws InvalidInput `invalid-fields`, naming the field
 */
export function parseFields(kind: IntelligenceKind, json: string): string {
  checkLength("fields", json, textMax.fieldsCharacters);
  const result = fieldsOf[kind].safeParse(parseJson(json));
  if (result.success) {
    const entries = Object.entries(result.data).filter(([, value]) => value !== undefined);
    return JSON.stringify(Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1))));
  }
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : undefined;
  throw new InvalidInput({
    code: "invalid-fields",
    field: ["fields", ...(issue?.path ?? [])].join("."),
    value: unknown ?? json,
    message: issue?.message ?? "are not the fields of this kind",
    remedy: `${kind} has these fields: ${Object.keys(fieldsOf[kind].shape).join(", ")}.`,
  });
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new InvalidInput({
      code: "invalid-fields",
      field: "fields",
      value: json,
      message: "are not JSON",
      remedy: 'Give a JSON object such as {"number":"+442079460958"}.',
    });
  }
}

/**
 * Reads an audience: `region`, `all`, or slugs separated by commas.
 *
 * @param own the region that writes; it has its pieces anyhow
 * @throws InvalidInput `invalid-audience`
 */
export function parseAudience(text: string, own: string): Audience {
  if (text === "region" || text === "all") return { kind: text };
  const regions = [...new Set(text.split(",").map((slug) => slug.trim()))]
    .filter((slug) => slug !== own)
    .sort();
  const fits = regions.length <= namedRegionsMax && regions.every((slug) => /^[a-z][a-z-]*$/u.test(slug));
  if (text.trim() === "" || !fits) {
    throw new InvalidInput({
      code: "invalid-audience",
      field: "audience",
      value: text,
      message: "names no audience",
      remedy: "Give `region`, `all`, or slugs of regions separated by commas.",
    });
  }
  return regions.length === 0 ? { kind: "region" } : { kind: "regions", regions };
}

/** How an audience is written in events and tables. */
export function audienceText(audience: Audience): string {
  return audience.kind === "regions" ? audience.regions.join(",") : audience.kind;
}

/** Whether what was written in a region with this audience may be kept in another. */
export function isInAudience(audience: string, region: string): boolean {
  return audience === "all" || (audience !== "region" && audience.split(",").includes(region));
}

/** @throws InvalidInput `unknown-value` */
export function parseMarking(text: string): (typeof markings)[number] {
  return parseWord(markings, "tlp", text);
}

/** @throws InvalidInput `unknown-value` */
export function parseSource(text: string): (typeof intelligenceSources)[number] {
  return parseWord(intelligenceSources, "source", text);
}

/** @throws InvalidInput `invalid-confidence` unless a whole number from 0 to 100 */
export function parseConfidence(confidence: number): number {
  if (Number.isInteger(confidence) && confidence >= 0 && confidence <= 100) return confidence;
  throw new InvalidInput({
    code: "invalid-confidence",
    field: "confidence",
    value: String(confidence),
    message: "is no confidence",
    remedy: "Give a whole number from 0 to 100.",
  });
}

/**
 * The wording of a script that its author releases: it travels, so it may name
 * nobody's number.
 *
 * @throws InvalidInput `digits-in-wording`, `unfit-wording` for another kind than script
 */
export function parseReleasedWording(kind: IntelligenceKind, text: string): string {
  if (text === "") return text;
  checkLength("released_wording", text, textMax.wordingCharacters);
  if (kind !== "script") {
    throw new InvalidInput({
      code: "unfit-wording",
      field: "released_wording",
      value: "",
      message: `says nothing about a ${kind}`,
      remedy: "Release a wording with a script alone; what else is to be said stays in the note.",
    });
  }
  if (longestDigitRun(text) > digitRunMax) {
    throw new InvalidInput({
      code: "digits-in-wording",
      field: "released_wording",
      value: "",
      message: `has a run of ${digitRunMax + 1} or more digits, in figures or in words`,
      remedy: "Take numbers, dates and amounts out: it leaves the region, and could name somebody's number.",
    });
  }
  return text;
}

/** Free text of the author; never leaves the region. @throws InvalidInput `too-long` */
export function parseNote(text: string): string {
  checkLength("note", text, textMax.noteCharacters);
  return text;
}

function checkLength(field: string, text: string, charactersMax: number): void {
  if (text.length <= charactersMax) return;
  throw new InvalidInput({
    code: "too-long",
    field,
    value: String(text.length),
    message: "has too many characters",
    remedy: `Give at most ${charactersMax}.`,
  });
}

/** ISO/IEC 7812-1, annex B. */
function hasLuhnDigit(digits: string): boolean {
  const sum = Array.from(digits)
    .reverse()
    .reduce((total, digit, index) => {
      const doubled = Number(digit) * (index % 2 === 0 ? 1 : 2);
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
  return sum % 10 === 0;
}
