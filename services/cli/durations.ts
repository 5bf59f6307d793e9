import { WrongUse } from "./failure.ts";

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** A span: `90s`, `30m`, `24h`, `7d`, `2w`; milliseconds, or undefined when it is none. */
export function parseSpan(text: string): number | undefined {
  const [, amount = "", unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text.trim()) ?? [];
  const ms = unitMs[unit];
  return ms === undefined ? undefined : Number(amount) * ms;
}

/** ISO 8601: a date, or date and time with zone. */
const isoPattern = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * When something ends: a span from now, or a time (ISO 8601; a date means its
 * beginning, UTC). Milliseconds since 1970; whether it is still to come, the
 * service says.
 *
 * @throws WrongUse
 */
export function parseEnd(option: string, text: string, nowMs: number): number {
  const spanMs = parseSpan(text);
  if (spanMs !== undefined) return nowMs + spanMs;
  const atMs = isoPattern.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
  if (Number.isNaN(atMs)) {
    throw new WrongUse({
      field: option,
      value: text,
      message: "this is neither a span nor a time",
      remedy: "give 30m, 24h or 7d, or a time such as 2026-12-31T18:00:00+05:00",
    });
  }
  return atMs;
}

/**
 * Since when: a span back from now, or a time as above.
 *
 * @throws WrongUse
 */
export function parseSince(option: string, text: string, nowMs: number): number {
  const spanMs = parseSpan(text);
  return spanMs === undefined ? parseEnd(option, text, nowMs) : nowMs - spanMs;
}

/**
 * A whole number within bounds.
 *
 * @throws WrongUse
 */
export function parseCount(option: string, text: string, min: number, max: number): number {
  const count = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(count >= min && count <= max)) {
    throw new WrongUse({
      field: option,
      value: text,
      message: "this is not a whole number within the bounds",
      remedy: `give a whole number from ${min} to ${max}`,
    });
  }
  return count;
}
